import { afterEach, describe, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { closeStages, run, stage, submit, WEBHOOK_URL } from '@test/domain/jobs/stage'
import { Webhook } from 'standardwebhooks'
import { sign } from '@/domain/webhooks'

afterEach(closeStages)

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const nowSeconds = () => Math.floor(Date.now() / 1000)

describe('both signatures are over the raw body', () => {
  test('of an app’s live and test events, each with its own secret; a library verifies them', async () => {
    const on = await stage({ startMs: Date.now() })
    const { webhookSecret, testWebhookSecret } = on.app
    expect(webhookSecret).not.toBe(testWebhookSecret)
    const input = { provider_params: { sandbox: { canned: true } } }
    await submit(on)
    await submit(on, { realm: on.app.realms.test, input })
    await run(on)
    const sent = on.web.to(WEBHOOK_URL).map(({ init }) => ({
      body: String(init.body),
      headers: init.headers ?? {},
    }))
    expect(sent.map(({ body }) => JSON.parse(body).mode).sort()).toEqual(['live', 'test'])
    for (const { body, headers } of sent) {
      const isLive = JSON.parse(body).mode === 'live'
      const [ours, other] = isLive
        ? [webhookSecret, testWebhookSecret]
        : [testWebhookSecret, webhookSecret]
      expect(new Webhook(ours).verify(body, headers)).toEqual(JSON.parse(body))
      expect(() => new Webhook(other).verify(body, headers)).toThrow()
      expect(() => new Webhook(ours).verify(`${body} `, headers)).toThrow()
      expect(headers['webhook-id']).toBe(JSON.parse(body).id)

      const key = Buffer.from(ours.replace('whsec_', ''), 'base64')
      expect(key.length).toBe(32)
      const stamp = headers['x-webhook-timestamp']
      const expected = createHmac('sha256', key).update(`${stamp}.${body}`).digest('hex')
      expect(headers['x-webhook-signature']).toBe(`sha256=${expected}`)
      expect(stamp).toBe(headers['webhook-timestamp'] ?? '')
    }
  })

  test('whatever the body holds', () => {
    for (const body of ['', '{}', '{"a":"grüezi 👋"}', '\0', 'x'.repeat(100_000)]) {
      const headers = sign(SECRET, { id: 'evt_1', wallSeconds: nowSeconds(), body })
      const verified = () => new Webhook(SECRET).verify(body, headers, { jsonParse: false })
      expect(verified).not.toThrow()
    }
  })
})

test('a change of id, time or body changes both signatures', () => {
  const message = { id: 'evt_1', wallSeconds: 1_768_473_000, body: '{}' }
  const base = sign(SECRET, message)
  const later = sign(SECRET, { ...message, wallSeconds: message.wallSeconds + 1 })
  const other = sign(SECRET, { ...message, body: '{ }' })
  for (const changed of [later, other]) {
    expect(changed['webhook-signature']).not.toBe(base['webhook-signature'] ?? '')
    expect(changed['x-webhook-signature']).not.toBe(base['x-webhook-signature'] ?? '')
  }
  const renamed = sign(SECRET, { ...message, id: 'evt_2' })
  expect(renamed['webhook-signature']).not.toBe(base['webhook-signature'] ?? '')
})

test.each(['', 'whsec_', 'whsec_c2hvcnQ='])('the secret %p is too short to sign with', secret => {
  expect(() => sign(secret, { id: 'evt_1', wallSeconds: 1, body: '' })).toThrow('24 bytes')
})

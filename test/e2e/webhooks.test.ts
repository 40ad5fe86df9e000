import { expect, test } from 'bun:test'
import { jsonOf, startHub, within } from '@test/support/process'
import { temporaryFolder } from '@test/support/test-db'
import { startReceiver, verifySignatures } from '@test/support/webhook-receiver'
import { Webhook } from 'standardwebhooks'
import { apiOf, finalJobs, type Job, type MadeApp, makeApp, sandboxed } from './api'
import { startCrashHub } from './crash-hub'
import { countIn, problemsIn } from './final-state'
import { startVendor } from './vendor'

const TIMEOUT_MS = 60_000
/** The first try again comes after 5 s, give or take a tenth. */
const FIRST_RETRY_MS = { least: 4_400, most: 15_000 }

test.concurrent(
  'each end of a job is told, signed so that both kinds of reader can verify it',
  async () => {
    await using receiver = startReceiver()
    const folder = temporaryFolder()
    const env = { ALLOW_PRIVATE_DESTINATIONS: receiver.host }
    const create = ['apps', 'create', '--name', 'A', '--slug', 'a', '--grant', '100']
    const app = await jsonOf<MadeApp>([...create, '--webhook-url', receiver.url], { folder, env })
    await using hub = await startHub({ folder, env })
    const api = apiOf(hub.url, app.test_api_key)

    const good = await api.generate({ input: sandboxed({}, 2) })
    const bad = await api.generate({ input: sandboxed({ fail: 'rejected' }) })
    const long = await api.generate({ input: sandboxed({ mode: 'async', latency_ms: 600_000 }) })
    await api.call('POST', `/api/v1/jobs/${long.body.job_id}/cancel`, {})
    const own = await api.generate({ input: sandboxed({}), webhook_url: `${receiver.url}/own` })
    const jobs = await finalJobs(api)
    await within(
      TIMEOUT_MS,
      'four webhooks',
      receiver.heard(() => true, 4),
    )

    expect(receiver.received).toHaveLength(4)
    for (const received of receiver.received) {
      verifySignatures(received, app.test_webhook_secret)
      expect(() => verifySignatures(received, app.webhook_secret)).toThrow()
      const changed = { ...received, body: received.body.replace('"job_id"', '"Job_id"') }
      expect(() => verifySignatures(changed, app.test_webhook_secret)).toThrow()
      expect(received.headers['webhook-id']).toBe(received.event.id)
      expect(received.headers['content-type']).toBe('application/json')
      const job = jobs.find(({ job_id }) => job_id === received.event.job_id)
      expect(received.event).toMatchObject({
        status: job?.status,
        tokens_charged: job?.tokens_charged,
        tokens_refunded: job?.tokens_refunded,
        mode: 'test',
      })
    }
    const eventOf = ({ body }: { body: Job }) => receiver.of(body.job_id)[0]?.event
    expect(eventOf(good)).toMatchObject({
      event: 'job.completed',
      outputs: [{ index: 0 }, { index: 1 }],
    })
    expect(eventOf(bad)).toMatchObject({ event: 'job.failed', error_code: 'content_rejected' })
    expect(eventOf(long)).toMatchObject({ event: 'job.cancelled', outputs: [] })
    expect(receiver.of(own.body.job_id)[0]?.path).toBe('/hook/own')
    const [first] = (eventOf(good)?.outputs ?? []) as { url: string }[]
    // Without PUBLIC_URL a webhook can only name this machine.
    const link = `${first?.url}`.replace('//localhost:', '//127.0.0.1:')
    expect((await fetch(link)).headers.get('content-type')).toBe('image/png')
    expect(await hub.stop()).toBe(0)
    expect(problemsIn(folder)).toEqual([])
  },
  TIMEOUT_MS,
)

test.concurrent(
  'a receiver that was down gets the same id and the same bytes again, over a restart too',
  async () => {
    await using receiver = startReceiver()
    const folder = temporaryFolder()
    const env = { ALLOW_PRIVATE_DESTINATIONS: receiver.host }
    const app = await makeApp(folder)
    const hub = await startHub({ folder, env })
    await using _ = hub
    receiver.answer = () =>
      new Response('down', { status: receiver.received.length > 1 ? 200 : 500 })
    const api = apiOf(hub.url, app.test_api_key)
    const { body } = await api.generate({ input: sandboxed({}), webhook_url: receiver.url })
    const first = await within(
      TIMEOUT_MS,
      'the first try',
      receiver.heard(() => true),
    )
    const isNoted = `SELECT count(*) FROM webhook_deliveries WHERE tries = 1 AND last_status = 500`
    while (countIn(folder, isNoted) === 0) await Bun.sleep(10)
    expect(await hub.stop()).toBe(0)

    await using again = await startHub({ folder, env })
    const second = await within(
      TIMEOUT_MS,
      'the second try',
      receiver.heard(() => true, 2),
    )
    const apart = second.at - first.at
    expect(apart).toBeGreaterThan(FIRST_RETRY_MS.least)
    expect(apart).toBeLessThan(FIRST_RETRY_MS.most)
    expect([first.event.job_id, second.body]).toEqual([body.job_id, first.body])
    expect(second.headers['webhook-id']).toBe(`${first.headers['webhook-id']}`)
    const stampOf = (one: typeof first) => Number(one.headers['webhook-timestamp'])
    expect(stampOf(second)).toBeGreaterThan(stampOf(first))
    for (const received of receiver.received) verifySignatures(received, app.test_webhook_secret)
    expect(await again.stop()).toBe(0)
    expect(receiver.received).toHaveLength(2)
    expect(problemsIn(folder)).toEqual([])
  },
  TIMEOUT_MS,
)

/** From source only: between two starts the clock is moved, which nothing lets us do to a finished program. */
test.concurrent(
  'a receiver that was down twice gets the same id and bytes a third time, five minutes later',
  async () => {
    await using receiver = startReceiver()
    await using vendor = startVendor()
    receiver.answer = () =>
      new Response('down', { status: receiver.received.length > 2 ? 200 : 503 })
    const folder = temporaryFolder()
    const app = await makeApp(folder)
    const startLater = (laterMs: number) =>
      startCrashHub({ folder, vendor, canFind: true, laterMs, allowed: [receiver.host] })
    const isNoted = async (tries: number) => {
      const noted = `SELECT count(*) FROM webhook_deliveries WHERE tries = ${tries}`
      while (countIn(folder, noted) === 0) await Bun.sleep(10)
    }

    await using first = await startLater(0)
    const body = { input: sandboxed({}), webhook_url: receiver.url }
    await apiOf(first.url, app.test_api_key).generate(body)
    await within(TIMEOUT_MS, 'the first try is noted', isNoted(1))
    expect(await first.stop()).toBe(0)
    await using second = await startLater(10_000)
    await within(TIMEOUT_MS, 'the second try is noted', isNoted(2))
    expect(await second.stop()).toBe(0)
    // Four minutes are not five, whatever the jitter.
    await using early = await startLater(10_000 + 4 * 60_000)
    expect((await fetch(`${early.url}/api/health`)).status).toBe(200)
    expect(await early.stop()).toBe(0)
    expect(receiver.received).toHaveLength(2)
    await using third = await startLater(10_000 + 6 * 60_000)
    await within(TIMEOUT_MS, 'the third try is noted', isNoted(3))
    expect(await third.stop()).toBe(0)

    expect(receiver.received).toHaveLength(3)
    expect(new Set(receiver.received.map(one => one.body)).size).toBe(1)
    expect(new Set(receiver.received.map(one => one.headers['webhook-id'])).size).toBe(1)
    const stamps = receiver.received.map(one => Number(one.headers['webhook-timestamp']))
    expect(stamps).toEqual([...new Set(stamps)].sort((a, b) => a - b))
    for (const { body, headers } of receiver.received) {
      // The library refuses what is of the future, so it signs the same instead.
      const at = new Date(Number(headers['webhook-timestamp']) * 1_000)
      const signature = new Webhook(app.test_webhook_secret).sign(
        `${headers['webhook-id']}`,
        at,
        body,
      )
      expect(`${headers['webhook-signature']}`).toBe(signature)
    }
    expect(problemsIn(folder)).toEqual([])
  },
  TIMEOUT_MS,
)

import { afterEach, describe, expect, test } from 'bun:test'
import {
  closeStages,
  nextDue,
  rows,
  run,
  runOut,
  type Stage,
  stage,
  submit,
  WEBHOOK_URL,
} from '@test/domain/jobs/stage'
import { loopbackVendor } from '@test/support/fake-vendor'
import { DAY, HOUR, MINUTE, SECOND } from '@/base/clock'
import { createSafeFetch, FetchFailure } from '@/base/safe-fetch'

afterEach(closeStages)

type Delivery = {
  state: string
  tries: number
  last_status: number | null
  last_error: string | null
  last_answer: string | null
  last_tried_at: number | null
  finished_at: number | null
  url: string
}

const deliveries = (on: Stage) => rows<Delivery>(on, 'SELECT * FROM webhook_deliveries ORDER BY id')
const calls = (on: Stage) => on.web.to(WEBHOOK_URL).map(call => call.init)

/** CONTRACT section 6: the pause after each failed try. */
const PAUSES = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR]

describe('a delivery that fails', () => {
  test('is tried eight times at the promised times, each within a tenth, and is then dead', async () => {
    const on = await stage()
    on.web.serve(WEBHOOK_URL, 500)
    await submit(on)
    await run(on)
    for (const [index, pause] of PAUSES.entries()) {
      expect(calls(on).length).toBe(index + 1)
      expect(deliveries(on)).toMatchObject([
        { state: 'pending', tries: index + 1, last_status: 500 },
      ])
      const wait = (nextDue(on) ?? 0) - on.clock.now()
      expect(wait).toBeGreaterThanOrEqual(pause * 0.9)
      expect(wait).toBeLessThanOrEqual(pause * 1.1)
      on.clock.advance(wait - 1)
      await run(on)
      expect(calls(on).length).toBe(index + 1)
      on.clock.advance(1)
      await run(on)
    }
    expect(calls(on).length).toBe(8)
    expect(deliveries(on)).toMatchObject([
      { state: 'dead', tries: 8, last_status: 500, finished_at: on.clock.now() },
    ])
    on.clock.advance(30 * DAY)
    await runOut(on)
    expect(calls(on).length).toBe(8)
  })

  test('many of one moment do not all come back at the same one', async () => {
    const on = await stage()
    on.web.serve(WEBHOOK_URL, 500)
    for (let job = 0; job < 20; job++) await submit(on)
    await run(on)
    const due = rows<{ run_at: number }>(
      on,
      `SELECT run_at FROM tasks WHERE kind = 'webhook.deliver'`,
    ).map(task => task.run_at - on.clock.now())
    expect(due.length).toBe(20)
    expect(new Set(due).size).toBeGreaterThan(10)
    for (const wait of due) {
      expect(wait).toBeGreaterThanOrEqual(4_500)
      expect(wait).toBeLessThanOrEqual(5_500)
    }
  })

  test('carries the same bytes and the same id every time, and a new timestamp', async () => {
    const on = await stage()
    on.web.serve(WEBHOOK_URL, 503)
    await submit(on)
    await runOut(on)
    const sent = calls(on).map(({ body, headers = {} }) => ({
      body,
      id: headers['webhook-id'],
      at: Number(headers['webhook-timestamp']),
      plainAt: Number(headers['x-webhook-timestamp']),
    }))
    expect(sent.length).toBe(8)
    expect(new Set(sent.map(call => call.body)).size).toBe(1)
    expect(new Set(sent.map(call => call.id)).size).toBe(1)
    expect(new Set(sent.map(call => call.at)).size).toBe(8)
    expect(sent.map(call => call.plainAt)).toEqual(sent.map(call => call.at))
    const triedAt = deliveries(on)[0]?.last_tried_at ?? 0
    expect(sent.at(-1)?.at).toBe(Math.floor(triedAt / 1000))
  })

  test.each([300, 301, 302, 307, 308, 400, 401, 404, 410, 429, 500, 503])(
    'because of a %p is tried again',
    async status => {
      const on = await stage()
      on.web.serve(WEBHOOK_URL, call => new Response('no', { status: call === 1 ? status : 200 }))
      await submit(on)
      await run(on)
      expect(deliveries(on)).toMatchObject([
        { state: 'pending', tries: 1, last_status: status, last_answer: 'no', last_error: null },
      ])
      await runOut(on)
      expect(deliveries(on)).toMatchObject([{ state: 'delivered', tries: 2, last_status: 200 }])
    },
  )

  test.each([
    'timeout',
    'connection_refused',
    'connection_failed',
    'dns_failed',
    'tls_failed',
  ] as const)('because of %s is tried again', async code => {
    const on = await stage()
    on.web.serve(WEBHOOK_URL, call => {
      if (call === 1) throw new FetchFailure(code, true)
      return new Response('')
    })
    await submit(on)
    await run(on)
    expect(deliveries(on)).toMatchObject([
      { state: 'pending', tries: 1, last_status: null, last_error: code },
    ])
    await runOut(on)
    expect(deliveries(on)).toMatchObject([{ state: 'delivered', tries: 2, last_error: null }])
  })

  test('to a private address is dead at once', async () => {
    const on = await stage()
    await submit(on, { webhookUrl: 'https://169.254.169.254/latest/meta-data' })
    await runOut(on)
    expect(deliveries(on)).toMatchObject([
      { state: 'dead', tries: 1, last_error: 'blocked_destination', last_status: null },
    ])
  })

  test('does not hold up another one', async () => {
    const on = await stage()
    on.web.serve('https://broken.example.com/', 500)
    on.web.serve('https://good.example.com/', 204)
    await submit(on, { webhookUrl: 'https://broken.example.com/' })
    await submit(on, { webhookUrl: 'https://good.example.com/' })
    await run(on)
    expect(
      deliveries(on)
        .map(delivery => delivery.state)
        .sort(),
    ).toEqual(['delivered', 'pending'])
  })
})

describe('a delivery that is taken', () => {
  test.each([200, 201, 202, 204, 299])('with a %p is never sent again', async status => {
    const on = await stage()
    on.web.serve(WEBHOOK_URL, () => new Response(status === 204 ? null : 'thanks', { status }))
    await submit(on)
    await runOut(on)
    expect(calls(on).length).toBe(1)
    expect(deliveries(on)).toMatchObject([
      { state: 'delivered', tries: 1, last_status: status, finished_at: expect.any(Number) },
    ])
  })

  test('is asked for within 15 s, and its answer is cut to what a person reads', async () => {
    const on = await stage()
    on.web.serve(WEBHOOK_URL, () => new Response('x'.repeat(50_000)))
    await submit(on)
    await runOut(on)
    expect(calls(on)[0]).toMatchObject({ method: 'POST', timeoutMs: 15_000, maxBytes: 65_536 })
    expect(deliveries(on)[0]?.last_answer).toBe('x'.repeat(2_048))
  })

  test('although its answer broke off: the status was there', async () => {
    const on = await stage()
    const broken = () =>
      new ReadableStream({
        start: controller => controller.error(new FetchFailure('too_large', true)),
      })
    on.web.serve(WEBHOOK_URL, () => new Response(broken(), { status: 200 }))
    await submit(on)
    await runOut(on)
    expect(deliveries(on)).toMatchObject([{ state: 'delivered', tries: 1, last_answer: '' }])
  })
})

describe('over a real connection', () => {
  test('a redirect is a failure and nobody follows it', async () => {
    const on = await stage({ webhookUrl: null })
    const server = loopbackVendor(path =>
      path === '/moved'
        ? new Response('', { status: 307, headers: { location: '/secret' } })
        : new Response('ok'),
    )
    on.deps.fetch = createSafeFetch({ allowPrivate: [server.host] })
    await submit(on, { webhookUrl: `${server.origin}/moved` })
    await run(on)
    expect(server.requests.map(request => request.path)).toEqual(['/moved'])
    expect(deliveries(on)).toMatchObject([{ state: 'pending', tries: 1, last_status: 307 }])
    await server.close()
  })

  test('what arrives is the stored body as JSON, named by our user agent', async () => {
    const on = await stage({ webhookUrl: null })
    const server = loopbackVendor(() => new Response('ok'))
    on.deps.fetch = createSafeFetch({ allowPrivate: [server.host] })
    await submit(on, { webhookUrl: `${server.origin}/hook`, metadata: { greeting: 'grüezi 👋' } })
    await run(on)
    const [request] = server.requests
    const [stored] = rows<{ body: string }>(on, 'SELECT body FROM webhook_deliveries')
    expect(request?.method).toBe('POST')
    expect(request?.body).toBe(stored?.body ?? '')
    expect(request?.headers.get('content-type')).toBe('application/json')
    expect(request?.headers.get('user-agent')).toBe('ai-backend-hub')
    expect(deliveries(on)).toMatchObject([{ state: 'delivered', tries: 1 }])
    await server.close()
  })
})

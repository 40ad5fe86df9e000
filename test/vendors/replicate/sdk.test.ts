import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import Replicate, { type Prediction, parseProgressFromLogs, validateWebhook } from 'replicate'
import { Webhook } from 'standardwebhooks'
import { sample } from './samples'
import { problem, type ReplicateServer, replicateServer } from './server'

/**
 * The vendor's own client against our server: what it sends is answered and what it gets it understands,
 * so the server is the format, and an adapter that works with the server works with the format.
 */
let server: ReplicateServer
let client: Replicate

beforeEach(() => {
  server = replicateServer()
  client = new Replicate({ auth: server.key, baseUrl: server.baseUrl, useFileOutput: false })
})

afterEach(async () => {
  await server.close()
})

const VERSION = '5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa'
const LIST = sample<{ output: string[] }>('prediction-succeeded-list').output

describe('predictions', () => {
  test('of an official model run until they are done', async () => {
    const model = 'black-forest-labs/flux-schnell'
    const created = await client.predictions.create({
      model,
      input: { prompt: 'a lighthouse', num_outputs: 2 },
      webhook: 'https://hub.example/callbacks/replicate/att_1/token',
      webhook_events_filter: ['completed'],
    })
    expect(created).toMatchObject({ status: 'starting', model, version: 'hidden', output: null })
    const ended = await client.wait(created, { interval: 1 })
    expect(ended).toMatchObject({ id: created.id, status: 'succeeded', output: LIST })
    expect(server.seen[0]).toMatchObject({
      method: 'POST',
      path: `/models/${model}/predictions`,
    })
    expect(server.counts).toMatchObject({ create: 1, get: 2 })
  })

  test('run() answers what was made, and throws what failed', async () => {
    const wait = { mode: 'poll', interval: 1 } as const
    server.plan('prediction-processing', 'prediction-succeeded-one')
    const one = sample<{ output: string }>('prediction-succeeded-one').output
    const made: unknown = await client.run(`replicate/hello-world:${VERSION}`, { input: {}, wait })
    expect(made).toBe(one)
    server.plan('prediction-failed-content')
    const failed = client.run('black-forest-labs/flux-schnell', { input: {}, wait })
    await expect(failed).rejects.toThrow('(E005)')
    expect(JSON.parse(server.seen[0]?.body ?? '')).toEqual({ version: VERSION, input: {} })
  })

  test('of a deployment, and waiting for the answer', async () => {
    const created = await client.deployments.predictions.create('acme', 'portraits', {
      input: {},
      wait: 5,
    })
    expect(created.status).toBe('succeeded')
    expect(server.seen[0]?.path).toBe('/deployments/acme/portraits/predictions')
    expect(server.seen[0]?.headers.get('prefer')).toBe('wait=5')
  })

  test('show how far they are', async () => {
    const created = await client.predictions.create({ version: VERSION, input: {} })
    const { logs } = await client.predictions.get(created.id)
    expect(parseProgressFromLogs(logs ?? '')?.percentage).toBe(0.76)
  })

  test('are cancelled, as often as one likes', async () => {
    const created = await client.predictions.create({ version: VERSION, input: {} })
    for (const _ of [1, 2]) {
      expect((await client.predictions.cancel(created.id)).status).toBe('canceled')
    }
    const ended = await client.predictions.create({ version: VERSION, input: {}, wait: true })
    expect((await client.predictions.cancel(ended.id)).status).toBe('succeeded')
  })

  test('are listed newest first, page by page', async () => {
    server.pageSize = 2
    const ids: string[] = []
    for (const _ of [1, 2, 3]) {
      ids.unshift((await client.predictions.create({ version: VERSION, input: {} })).id)
    }
    const listed: Prediction[] = []
    for await (const page of client.paginate(() => client.predictions.list())) listed.push(...page)
    expect(listed.map(({ id }) => id)).toEqual(ids)
  })
})

describe('refusals', () => {
  test.each([
    [401, 'error-401'],
    [402, 'error-402'],
    [404, 'error-404'],
    [422, 'error-422-input'],
    [422, 'error-422-version'],
  ])('%p %p', async (status, name) => {
    server.answer('create', () => problem(status, name))
    const error = await client.predictions.create({ version: VERSION, input: {} }).catch(e => e)
    expect(error.response.status).toBe(status)
    expect(error.message).toContain(JSON.stringify(sample(name).title))
  })

  test('a wrong key, an unknown prediction and a body with more than is allowed', async () => {
    const stranger = new Replicate({ auth: 'r8_other', baseUrl: server.baseUrl })
    const statusOf = (call: Promise<unknown>) => call.catch(error => error.response.status)
    expect(await statusOf(stranger.accounts.current())).toBe(401)
    expect(await statusOf(client.predictions.get('unknown'))).toBe(404)
    const data = { input: {}, model: 'replicate/hello-world' }
    expect(await statusOf(client.request('/predictions', { method: 'POST', data }))).toBe(422)
  })

  test('a creation is repeated for 429 and for nothing else', async () => {
    const creation = { version: VERSION, input: {} }
    server.answer('create', () => problem(429, 'error-429', { 'retry-after': '1' }))
    expect((await client.predictions.create(creation)).status).toBe('starting')
    expect(server.counts.create).toBe(2)
    server.answer('create', () => new Response('', { status: 503 }))
    const error = await client.predictions.create(creation).catch(e => e)
    expect(error.response.status).toBe(503)
    expect(server.counts.create).toBe(3)
  })
})

test('the account and its signing secret', async () => {
  expect(await client.accounts.current()).toMatchObject({ username: 'acme' })
  expect(await client.webhooks.default.secret.get()).toMatchObject(sample('webhook-secret'))
})

describe('callbacks', () => {
  test('are signed as the client and the standard want it', async () => {
    const { id } = await client.predictions.create({ version: VERSION, input: {}, wait: true })
    const nowMs = Date.now()
    const { promise, resolve } = Promise.withResolvers<{ headers: Headers; body: string }>()
    const receiver = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      async fetch(request) {
        resolve({ headers: request.headers, body: await request.text() })
        return new Response(null, { status: 204 })
      },
    })
    expect(await server.deliver(id, `http://127.0.0.1:${receiver.port}/`, nowMs)).toBe(204)
    const { headers, body } = await promise
    await receiver.stop(true)
    const { key } = await client.webhooks.default.secret.get()
    const request = new Request('https://hub.example', { method: 'POST', headers, body })
    expect(await validateWebhook(request, key)).toBe(true)
    const sent = new Webhook(key).verify(body, Object.fromEntries(headers))
    expect(sent).toMatchObject({ id, status: 'succeeded' })
  })

  test('the vector of the reference is what the client computes', async () => {
    const vector =
      sample<Record<'secret' | 'id' | 'timestamp' | 'body' | 'signature', string>>('webhook-vector')
    expect(await validateWebhook(vector)).toBe(true)
    expect(await validateWebhook({ ...vector, body: `${vector.body} ` })).toBe(false)
  })
})

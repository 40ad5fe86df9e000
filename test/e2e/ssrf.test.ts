import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createServer, type Server } from 'node:net'
import { at, bytes, done, fakeProvider, picture } from '@test/support/fake-provider'
import { runHub, startHub, until, within } from '@test/support/process'
import { temporaryFolder } from '@test/support/test-db'
import { addRoute, testApp } from '@test/support/test-hub'
import { testServer } from '@test/support/test-server'
import { startReceiver } from '@test/support/webhook-receiver'
import type { Output } from '@/providers/spec'
import { apiOf, finalJobs, makeApp, sandboxed } from './api'
import { countIn } from './final-state'

const TIMEOUT_MS = 60_000

/** A server on loopback that nobody may reach. It answers with a picture, so that a hit would look like success. */
type Canary = { port: number; host: string; hits: number; server: Server }
const canary: Canary = { port: 0, host: '', hits: 0, server: createServer() }

beforeAll(async () => {
  canary.server.on('connection', socket => {
    canary.hits++
    socket.on('error', () => {})
    const body = Buffer.from(picture())
    const head = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`
    socket.once('data', () => socket.end(Buffer.concat([Buffer.from(head), body])))
  })
  await new Promise<void>(resolve => canary.server.listen(0, '127.0.0.1', resolve))
  const address = canary.server.address()
  canary.port = address !== null && typeof address === 'object' ? address.port : 0
  canary.host = `127.0.0.1:${canary.port}`
})
afterAll(() => void canary.server.close())

/** Ways to spell a place inside. The whole table, and the names that only DNS reveals, are in the test of safe-fetch. */
const privateUrls = (port: number) => [
  `http://127.0.0.1:${port}/`,
  `https://127.0.0.1:${port}/`,
  `http://localhost:${port}/`,
  `https://localhost/`,
  `http://127.1:${port}/`,
  `http://0:${port}/`,
  `http://0.0.0.0:${port}/`,
  `http://2130706433:${port}/`,
  `http://0x7f000001:${port}/`,
  `http://0177.0.0.1:${port}/`,
  `http://①②⑦.⓪.⓪.①:${port}/`,
  `http://[::1]:${port}/`,
  `http://[::ffff:127.0.0.1]:${port}/`,
  `https://[::ffff:7f00:1]/`,
  `https://[64:ff9b::7f00:1]/`,
  `http://user:password@127.0.0.1:${port}/`,
  `http://example.com@127.0.0.1:${port}/`,
  `http://127.0.0.1:${port}\\@example.com/`,
  `http:/127.0.0.1:${port}/`,
  `http://127.0.0.1.:${port}/`,
  ` http://127.0.0.1:${port}/`,
  `http://127.0\n.0.1:${port}/`,
  'https://169.254.169.254/latest/meta-data/',
  'https://metadata.google.internal/',
  'https://10.0.0.1/',
  'https://100.64.0.1/',
  'https://192.168.1.1/',
  'https://[fd12:3456::1]/',
  'https://intranet/',
  'file:///etc/hostname',
  'data:image/png;base64,iVBORw0KGgo=',
  'gopher://127.0.0.1:70/_',
  'ftp://127.0.0.1/',
  '//127.0.0.1/',
  '/etc/passwd',
]

describe('what callers and operators write', () => {
  test(
    'no private address is taken as webhook_url or as a picture, and none is called',
    async () => {
      const folder = temporaryFolder()
      const app = await makeApp(folder)
      await using hub = await startHub({ folder })
      const api = apiOf(hub.url, app.test_api_key)
      const before = canary.hits
      for (const url of privateUrls(canary.port)) {
        const hook = await api.generate({ input: sandboxed({}), webhook_url: url })
        const edit = { ...sandboxed({}), images: [url] }
        const image = await api.generate({ model: 'flux-kontext-pro', input: edit })
        expect([url, hook.status, image.status]).toEqual([url, 400, 400])
        expect(hook.body).toMatchObject({ details: [{ path: 'webhook_url' }] })
        expect(image.body).toMatchObject({ details: [{ path: 'input.images.0' }] })
      }
      expect(await api.jobs()).toEqual([])
      expect(canary.hits).toBe(before)
    },
    TIMEOUT_MS,
  )

  test(
    'apps create takes none either',
    async () => {
      const folder = temporaryFolder()
      await makeApp(folder)
      const create = ['apps', 'create', '--name', 'X', '--slug', 'x', '--webhook-url']
      const urls = privateUrls(canary.port).filter((_, index) => index % 5 === 0)
      for (const url of urls) {
        const { code, stderr } = await runHub([...create, url], { folder })
        expect([url, code, stderr]).toEqual([
          url,
          1,
          expect.stringMatching(/^--webhook-url The URL/),
        ])
      }
      expect(countIn(folder, 'SELECT count(*) FROM apps')).toBe(1)
    },
    TIMEOUT_MS,
  )

  test(
    'an address that was allowed once is called while it is allowed, and not after',
    async () => {
      const folder = temporaryFolder()
      const app = await makeApp(folder)
      const env = { ALLOW_PRIVATE_DESTINATIONS: canary.host }
      const before = canary.hits
      await using open = await startHub({ folder, env })
      const body = { input: sandboxed({}), webhook_url: `http://${canary.host}/hook` }
      const reached = await apiOf(open.url, app.test_api_key).generate(body)
      expect(reached.status).toBe(202)
      await until('the positive control', () => canary.hits > before)
      const later = { ...body, input: sandboxed({ mode: 'async', latency_ms: 1_500 }) }
      expect((await apiOf(open.url, app.test_api_key).generate(later)).status).toBe(202)
      expect(await open.stop()).toBe(0)

      const hits = canary.hits
      await using closed = await startHub({ folder })
      await finalJobs(apiOf(closed.url, app.test_api_key))
      const dead = `SELECT count(*) FROM webhook_deliveries
        WHERE state = 'dead' AND last_error = 'blocked_destination'`
      await until('the delivery is given up', () => countIn(folder, dead) === 1)
      expect(canary.hits).toBe(hits)
    },
    TIMEOUT_MS,
  )

  test(
    'a receiver that sends us elsewhere is not followed',
    async () => {
      await using receiver = startReceiver()
      receiver.answer = () => Response.redirect(`http://${canary.host}/`, 307)
      const folder = temporaryFolder()
      const app = await makeApp(folder)
      const env = { ALLOW_PRIVATE_DESTINATIONS: `${receiver.host},${canary.host}` }
      await using hub = await startHub({ folder, env })
      const before = canary.hits
      const body = { input: sandboxed({}), webhook_url: receiver.url }
      await apiOf(hub.url, app.test_api_key).generate(body)
      await within(
        TIMEOUT_MS,
        'the webhook',
        receiver.heard(() => true),
      )
      const noted = `SELECT count(*) FROM webhook_deliveries WHERE tries = 1 AND last_status = 307`
      await until('the try is noted', () => countIn(folder, noted) === 1)
      expect(canary.hits).toBe(before)
    },
    TIMEOUT_MS,
  )
})

/** These put a vendor of their own into the server, which a finished program does not let in: from source only. */
describe('what vendors answer', () => {
  /** One job for each list of outputs. */
  async function jobsOf(lists: Output[][], allowPrivateDestinations: string[]) {
    const provider = fakeProvider()
    provider.script(...lists.map(outputs => done(...outputs)))
    const server = await testServer({
      config: { allowPrivateDestinations },
      hub: { providers: [provider] },
    })
    try {
      await addRoute(server.deps, { model: 'flux-schnell', provider: 'fake' })
      const asked = lists.flat().length
      const rates = { rateLimitPerUser: 1_000_000, rateLimitPerApp: 1_000_000 }
      const app = await testApp(server.deps, { welcomeGrant: asked, ...rates })
      const api = apiOf(server.url, app.apiKey)
      for (const { length } of lists) {
        expect(
          (await api.generate({ input: { prompt: 'a fox', num_outputs: length } })).status,
        ).toBe(202)
      }
      const jobs = await finalJobs(api)
      const { body } = await api.user('somebody')
      return { jobs, balance: body.token_balance, starts: provider.starts.length }
    } finally {
      await server.stop()
    }
  }

  test(
    'no output at a private address is fetched: it is missing, and refunded',
    async () => {
      const before = canary.hits
      const urls = privateUrls(canary.port)
      // With a good one beside each: a vendor that makes nothing usable five times in a row is left alone.
      const lists = urls.map(url => [bytes(picture()), at(url)])
      const { jobs, balance, starts } = await jobsOf(lists, [])
      expect([jobs.length, starts, balance]).toEqual([urls.length, urls.length, urls.length])
      expect(new Set(jobs.map(job => job.status))).toEqual(new Set(['succeeded']))
      expect(new Set(jobs.map(job => job.outputs.length))).toEqual(new Set([1]))
      expect(canary.hits).toBe(before)
    },
    TIMEOUT_MS,
  )

  test(
    'a job with nothing else fails and is refunded',
    async () => {
      const { jobs, balance } = await jobsOf([[at(`http://${canary.host}/picture`)]], [])
      expect(jobs.map(job => job.error_code)).toEqual(['output_unusable'])
      expect(balance).toBe(1)
    },
    TIMEOUT_MS,
  )

  test(
    'control: the same server does fetch from there when the operator allows it',
    async () => {
      const before = canary.hits
      const { jobs } = await jobsOf([[at(`http://${canary.host}/picture`)]], [canary.host])
      expect(jobs.map(job => job.status)).toEqual(['succeeded'])
      expect(canary.hits).toBe(before + 1)
    },
    TIMEOUT_MS,
  )
})

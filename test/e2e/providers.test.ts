import { Database } from 'bun:sqlite'
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Environment, type Ran, runHub, startHub, until } from '@test/support/process'
import { temporaryFolder } from '@test/support/test-db'
import { type ReplicateServer, replicateServer } from '@test/vendors/replicate/server'
import { apiOf, type MadeApp } from './api'

const TIMEOUT_MS = 60_000
const ROOT = join(import.meta.dir, '../..')
/** The same commands with the vendor in this process. */
const WITH_VENDOR = [process.execPath, join(ROOT, 'test/support/hub-with-vendor.ts')]

/** Of no known shape: what hides it is not its look. */
const KEY = 'words/that+nobody=would~guess'
const OTHER = 'more/words+that=nobody~guesses'

type Given = { folder: string; env?: Environment; stdin?: string; command?: string[] }

const ran = (args: string[], given: Given): Promise<Ran> => runHub(args, { stdin: '', ...given })

async function json<T = Record<string, unknown>>(args: string[], given: Given, expected = 0) {
  const { code, stdout, stderr } = await ran([...args, '--json'], given)
  expect([args, code, stderr]).toEqual([args, expected, ''])
  expect(stdout).toMatch(/^[^\n]+\n$/)
  return JSON.parse(stdout) as T
}

type Listed = { name: string; key: string; health: string; is_enabled: boolean; routes: number }

async function listed(name: string, given: Given): Promise<Listed | undefined> {
  const all = await json<Listed[]>(['providers', 'list'], given)
  return all.find(each => each.name === name)
}

async function newFolder(): Promise<{ folder: string; app: MadeApp }> {
  const folder = join(temporaryFolder(), 'data')
  const made = await ran(['apps', 'create', '--name', 'A', '--slug', 'a', '--json'], { folder })
  return { folder, app: JSON.parse(made.stdout) as MadeApp }
}

/** Everything below the folder, as a grep would see it. */
function bytesOf(folder: string): Buffer {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  const paths = files.filter(file => file.isFile()).map(file => join(file.parentPath, file.name))
  return Buffer.concat(paths.map(path => readFileSync(path)))
}

function rowsOf<T>(folder: string, sql: string): T[] {
  const sqlite = new Database(join(folder, 'hub.db'), { readonly: true })
  try {
    return sqlite.query(sql).all() as T[]
  } finally {
    sqlite.close()
  }
}

describe('keys in the shell', () => {
  test.concurrent(
    'come from standard input, are sealed, and are shown by nobody',
    async () => {
      const { folder } = await newFolder()
      const texts: string[] = []
      const run = async (args: string[], stdin = '', env: Environment = {}) => {
        const { code, stdout, stderr } = await ran(args, { folder, stdin, env })
        texts.push(stdout, stderr)
        return { code, said: stdout + stderr }
      }
      expect(await run(['providers', 'set-key', 'fal', '--no-check'], `  ${KEY}\r\n`)).toEqual({
        code: 0,
        said: 'The key of fal is stored, sealed.\nTo check it: hub providers test fal\n',
      })
      const both = { OPENAI_API_KEY: OTHER }
      expect(
        (await run(['providers', 'set-key', 'openai', '--no-check', '--json'], KEY, both)).said,
      ).toBe('{"name":"openai","key":"stored","check":null}\n')
      const hook = ['providers', 'set-webhook-secret', 'openrouter']
      expect((await run(hook, OTHER)).said).toBe(
        'The webhook secret of openrouter is stored, sealed.\n',
      )
      expect(
        rowsOf<{ name: string }>(
          folder,
          'SELECT name FROM providers WHERE api_key_sealed IS NOT NULL ORDER BY name',
        ).map(({ name }) => name),
      ).toEqual(['fal', 'openai'])

      await run(['providers', 'list'])
      await run(['providers', 'list', '--json'], '', both)
      await run(['models', 'list', '--json'])
      const doctor = await run(['doctor'], '', both)
      expect(doctor.said).toContain('ok       providers: keys for fal (stored), openai (stored)')
      expect(doctor.said).toContain(
        'warning  provider openai: a key is stored and OPENAI_API_KEY is set: the stored one is used\n         -> unset OPENAI_API_KEY, or `hub providers remove-key openai`',
      )
      expect(doctor.said).toMatch(/ok {7}models: \d+ models, [1-9]\d* served by live providers/)
      expect((await run(['providers', 'remove-key', 'openai'], '', both)).said).toBe(
        'The stored key of openai is gone. OPENAI_API_KEY of the environment is used now.\n',
      )
      expect((await run(['providers', 'remove-webhook-secret', 'openrouter'])).code).toBe(0)
      const database = bytesOf(folder)
      expect(database.includes('provider.remove_key')).toBe(true)
      for (const secret of [KEY, OTHER]) {
        expect(texts.join('')).not.toContain(secret)
        expect(database.includes(secret)).toBe(false)
      }
    },
    TIMEOUT_MS,
  )

  test.concurrent(
    'that are none, or for nobody, change nothing and are not repeated',
    async () => {
      const { folder } = await newFolder()
      const set = ['providers', 'set-key', 'fal', '--no-check']
      const REFUSED: [string[], string, number, RegExp][] = [
        [set, '', 2, /^the key of fal is read from standard input, and nothing came\n\nhub prov/],
        [set, ' \n\n', 2, /^the key of fal is read from standard input/],
        [set, `${KEY}\n${OTHER}\n`, 1, /^what came is no key: .+; nothing was changed\n$/],
        [set, `${KEY} ${OTHER}`, 1, /^what came is no key/],
        [set, `${KEY}ö`, 1, /^what came is no key/],
        [set, KEY.repeat(100), 1, /^what came is no key/],
        [set, KEY.repeat(1_000), 2, /^what came is not the key of fal: it is too long/],
        [[...set, KEY], '', 2, /^it is read from standard input and is never a word of/],
        [['providers', 'set-key'], KEY, 2, /^say which provider; /],
        [
          ['providers', 'set-key', 'nobody'],
          KEY,
          1,
          /^there is no provider nobody; `hub providers/,
        ],
        [['providers', 'set-key', 'sandbox'], KEY, 1, /^sandbox needs no key\n$/],
        [['providers', 'set-webhook-secret', 'fal', KEY], '', 2, /^it is read from standard input/],
        [['providers', 'pause', 'sandbox'], '', 1, /^the sandbox serves test keys/],
        [['providers', 'test', 'nobody'], '', 1, /^there is no provider nobody/],
      ]
      for (const [args, stdin, code, says] of REFUSED) {
        const end = await ran(args, { folder, stdin })
        expect([args, end.code, end.stdout]).toEqual([args, code, ''])
        expect(end.stderr).toMatch(says)
        expect(end.stderr).not.toContain(KEY)
      }
      expect(rowsOf(folder, "SELECT action FROM audit_log WHERE action LIKE 'provider.%'")).toEqual(
        [],
      )
    },
    TIMEOUT_MS,
  )

  test.concurrent(
    'without any, a test of all says so and succeeds, and one by name fails',
    async () => {
      const { folder } = await newFolder()
      const all = await ran(['providers', 'test'], { folder })
      expect([all.code, all.stderr]).toEqual([0, ''])
      expect(all.stdout).toMatch(/^NAME +RESULT +TIME +HEALTH\n/)
      expect(all.stdout).toMatch(
        /\nfal +no key +- +unknown +set FAL_KEY, or `hub providers set-key/,
      )
      expect(all.stdout).toMatch(/\nsandbox +ok +\d+ ms +healthy\n$/)
      const one = await json(['providers', 'test', 'fal'], { folder }, 1)
      expect(one).toEqual({
        ok: false,
        providers: [
          {
            name: 'fal',
            outcome: 'no_key',
            duration_ms: null,
            health: 'unknown',
            message: 'set FAL_KEY, or `hub providers set-key fal`',
          },
        ],
      })
      const list = await ran(['providers', 'list'], { folder })
      expect(list.stdout).toMatch(/\nfal +none +on +unknown +- +\d+\n/)
      expect(list.stderr).toContain('No provider has a key here')
    },
    TIMEOUT_MS,
  )

  test.concurrent(
    'that the SECRET_KEY of today does not open are named by the doctor',
    async () => {
      const [first, second] = ['0f'.repeat(32), 'f0'.repeat(32)]
      const folder = join(temporaryFolder(), 'data')
      const at = (env: Environment, stdin = '') => ({ folder, env, stdin })
      await ran(['apps', 'create', '--name', 'A', '--slug', 'a'], at({ SECRET_KEY: first }))
      const set = ['providers', 'set-key', 'fal', '--no-check']
      await json(set, at({ SECRET_KEY: first }, KEY))
      const both = { SECRET_KEY: second, SECRET_KEY_PREVIOUS: first }
      expect(await json(['doctor'], at(both))).toMatchObject({ ok: true })
      const doctor = await ran(['doctor'], at({ SECRET_KEY: second }))
      expect(doctor.code).toBe(1)
      expect(doctor.stdout).toContain(
        'PROBLEM  provider fal: its stored key was sealed by a SECRET_KEY that is not here\n         -> name that one in SECRET_KEY_PREVIOUS, or `hub providers set-key fal`',
      )
      expect(await listed('fal', at({ SECRET_KEY: second }))).toMatchObject({ key: 'unreadable' })
      const failed = await json<{ providers: unknown[] }>(
        ['providers', 'test'],
        at({ SECRET_KEY: second }),
        1,
      )
      expect(failed.providers).toContainEqual(
        expect.objectContaining({ name: 'fal', outcome: 'unreadable_key', health: 'down' }),
      )
      await json(set, at({ SECRET_KEY: second }, KEY))
      expect(await json(['doctor'], at({ SECRET_KEY: second }))).toMatchObject({ ok: true })
    },
    TIMEOUT_MS,
  )
})

describe('with a vendor that answers', () => {
  const asFor = (server: ReplicateServer, folder: string) => {
    const env = {
      VENDOR_URL: server.baseUrl,
      ALLOW_PRIVATE_DESTINATIONS: new URL(server.baseUrl).host,
    }
    return (stdin = '') => ({ folder, env, stdin, command: WITH_VENDOR })
  }

  test.concurrent(
    'a key is checked when it is set, and a test fails while it is refused',
    async () => {
      const server = replicateServer()
      const { folder } = await newFolder()
      const given = asFor(server, folder)
      const bad = await ran(['providers', 'set-key', 'replicate'], given('r8_a-wrong-one-of-mine'))
      expect([bad.code, bad.stderr]).toEqual([1, ''])
      expect(bad.stdout).toMatch(
        /^The key of replicate is stored, sealed\.\nThe check says refused: 401: .+\nTo store another: hub providers set-key replicate\n$/,
      )
      expect(await listed('replicate', given())).toMatchObject({ key: 'stored', health: 'down' })
      expect((await ran(['providers', 'test'], given())).code).toBe(1)

      const good = await ran(['providers', 'set-key', 'replicate'], given(`${server.key}\n`))
      expect([good.code, good.stdout]).toEqual([
        0,
        'The key of replicate is stored, sealed.\nIt works: replicate took it.\n',
      ])
      const tested = await ran(['providers', 'test', 'replicate'], given())
      expect([tested.code, tested.stderr]).toEqual([0, ''])
      expect(tested.stdout).toMatch(
        /^NAME +RESULT +TIME +HEALTH\nreplicate +ok +\d+ ms +healthy\n$/,
      )
      expect(server.counts.account).toBe(4)

      await json(['providers', 'pause', 'replicate'], given())
      const all = await json<{ ok: boolean; providers: { name: string; outcome: string }[] }>(
        ['providers', 'test'],
        given(),
      )
      expect(all.providers.find(({ name }) => name === 'replicate')?.outcome).toBe('paused')
      expect(server.counts.account).toBe(4)
      await server.close()
      const dead = await json<{ providers: unknown[] }>(
        ['providers', 'test', 'replicate'],
        given(),
        1,
      )
      expect(dead.providers).toMatchObject([{ outcome: 'unreachable', health: 'degraded' }])
    },
    TIMEOUT_MS,
  )

  test.concurrent(
    'beside a running server a key works at once, and nobody shows it',
    async () => {
      const server = replicateServer()
      const { folder, app } = await newFolder()
      const given = asFor(server, folder)
      const env = { ...given().env, LOG_LEVEL: 'debug' }
      await using hub = await startHub({ folder, env, command: WITH_VENDOR, args: ['serve'] })
      const api = apiOf(hub.url, app.api_key)
      const isAvailable = async () => {
        const { body } = await api.call('GET', '/api/v1/models/flux-schnell')
        return (body as { available: boolean }).available
      }
      expect(await isAvailable()).toBe(false)
      const set = ['providers', 'set-key', 'replicate', '--no-check']
      await json(set, given(server.key))
      await until('the model is served', isAvailable)
      // Nobody in the shell asked: the server did.
      await until(
        'the server has checked it',
        async () => (await listed('replicate', given()))?.health === 'healthy',
      )
      const health = await (await fetch(`${hub.url}/api/health`)).text()
      expect(health).toContain('"replicate":"healthy"')
      await json(['providers', 'pause', 'replicate'], given())
      await until('the model is not served', async () => !(await isAvailable()))
      await json(['providers', 'resume', 'replicate'], given())
      await until('the model is served again', isAvailable)
      await json(['providers', 'remove-key', 'replicate'], given())
      await until('the model is not served', async () => !(await isAvailable()))

      await json(set, given(`${server.key}-wrong`))
      await until(
        'the server has refused it',
        async () => (await listed('replicate', given()))?.health === 'down',
      )
      const doctor = await ran(['doctor'], given())
      expect(doctor.stdout).toMatch(/warning {2}provider replicate: its last checks failed: 401: /)
      expect(await hub.stop()).toBe(0)
      const told = [hub.stdout(), hub.stderr(), health, doctor.stdout].join('')
      expect(told).toContain('a provider does not answer as it should')
      expect(told).not.toContain(server.key)
      expect(bytesOf(folder).includes(server.key)).toBe(false)
      await server.close()
    },
    TIMEOUT_MS,
  )
})

describe('models and routes in the shell', () => {
  test.concurrent(
    'are listed, shown and changed, and a restart keeps what was changed',
    async () => {
      const { folder } = await newFolder()
      const env = { FAL_KEY: KEY }
      const given = { folder, env }
      type Model = { name: string; token_cost: number; strategy: string; served_by: string[] }
      const all = await json<Model[]>(['models', 'list'], given)
      const model = all.find(({ name }) => name === 'flux-schnell')
      expect(all.length).toBeGreaterThan(40)
      expect(model).toMatchObject({ strategy: null, is_enabled: true, served_by: ['fal'] } as never)
      const text = await ran(['models', 'list'], given)
      expect(text.stdout).toMatch(/\nflux-schnell +image +flux +\d+ +replicate:1 fal:2 +fal\n/)

      type Shown = Model & { routes: Record<string, unknown>[] }
      const shown = await json<Shown>(['models', 'show', 'flux-schnell'], given)
      expect(shown.routes).toEqual([
        expect.objectContaining({ provider: 'replicate', priority: 1, state: 'no_key' }),
        {
          model: 'flux-schnell',
          provider: 'fal',
          provider_model: expect.any(String),
          priority: 2,
          max_concurrent: null,
          quality: null,
          is_enabled: true,
          state: 'ready',
          cost: {
            per_output_micro_usd: expect.any(Number),
            per_second_micro_usd: null,
            per_call_micro_usd: null,
          },
          metrics: null,
        },
      ])
      const words = ['set', 'flux-schnell', '--strategy', 'cheapest', '--token-cost', '7']
      const set = await json<Model>(['models', ...words], given)
      expect(set).toMatchObject({ strategy: 'cheapest', token_cost: 7 })
      const route = ['set', 'flux-schnell', 'fal', '--priority', '0', '--max-concurrent', '5']
      const fal = await json(['routes', ...route, '--quality', '60'], given)
      expect(fal).toMatchObject({ priority: 0, max_concurrent: 5, quality: 60, is_enabled: true })
      const app = ['apps', 'set', '--app', 'a', '--strategy', 'fastest']
      expect(await json(app, given)).toMatchObject({ slug: 'a', strategy: 'fastest' })
      const again = ['set', 'flux-schnell', 'fal', '--max-concurrent', 'none', '--disable']
      expect(await json(['routes', ...again, '--quality', 'none'], given)).toMatchObject({
        priority: 0,
        max_concurrent: null,
        quality: null,
        is_enabled: false,
        state: 'off',
      })
      // Every start seeds again.
      expect(await json(['migrate'], given)).toEqual({ applied: [], copy: null })
      const kept = await json<Shown>(['models', 'show', 'flux-schnell'], given)
      expect(kept).toMatchObject({ strategy: 'cheapest', token_cost: 7 })
      expect(kept.routes[0]).toMatchObject({ provider: 'fal', priority: 0, state: 'off' })
      const back = await json(['apps', 'set', '--app', 'a', '--strategy', 'default'], given)
      expect(back).toMatchObject({ slug: 'a', strategy: null })
      expect(
        rowsOf<{ action: string }>(
          folder,
          "SELECT action FROM audit_log WHERE actor_kind = 'shell' ORDER BY id",
        ).map(({ action }) => action),
      ).toEqual([
        'app.create',
        'model.change',
        'route.change',
        'app.set_strategy',
        'route.change',
        'app.set_strategy',
      ])
    },
    TIMEOUT_MS,
  )
})

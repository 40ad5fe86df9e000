import { Database } from 'bun:sqlite'
import { beforeAll, describe, expect, test } from 'bun:test'
import { randomBytes } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type Environment, launch, runHub, startHub, within } from '@test/support/process'
import { temporaryFolder } from '@test/support/test-db'
import { VARIABLES } from '@/base/config'
import { sha256Hex } from '@/base/secrets'
import { makeApp } from './api'

const TIMEOUT_MS = 60_000
const REFUSED_MS = 10_000

/** Starts the server where it must not start. Its sentence is all that it says. */
async function refusal(folder: string, env: Environment = {}) {
  await using running = launch({ folder, env })
  const { code } = await within(REFUSED_MS, 'a start that is refused', running.ended)
  expect(running.stdout()).toBe('')
  const lines = running.stderr().trimEnd().split('\n')
  expect(lines).toHaveLength(1)
  return { code, sentence: lines[0] ?? '' }
}

/** Everything in a folder by name and content, but for the lock, which is not what it keeps. */
function contentOf(folder: string): Record<string, string> {
  if (!existsSync(folder)) return {}
  const names = readdirSync(folder).filter(name => !name.startsWith('hub.lock'))
  return Object.fromEntries(
    names.map(name => [name, sha256Hex(readFileSync(join(folder, name)))] as const),
  )
}

/** What a stopped hub with one app left. Each test has a copy of it. */
const original = temporaryFolder()
beforeAll(async () => {
  await makeApp(original)
  const hub = await startHub({ folder: original })
  expect(await hub.stop()).toBe(0)
}, TIMEOUT_MS)

function usedFolder(): string {
  const folder = temporaryFolder()
  cpSync(original, folder, { recursive: true })
  return folder
}

function change(folder: string, sql: string): void {
  const sqlite = new Database(join(folder, 'hub.db'))
  sqlite.run(sql)
  sqlite.run('PRAGMA wal_checkpoint(TRUNCATE)')
  sqlite.close()
}

describe('a database that does not belong to this start', () => {
  const cases: {
    name: string
    spoil: (folder: string) => void
    env?: Environment
    says: RegExp
  }[] = [
    {
      name: 'whose key is lost',
      spoil: folder => rmSync(join(folder, 'secret.key')),
      says: /^this database needs the SECRET_KEY it was made with, and neither .+ put it back$/,
    },
    {
      name: 'with another SECRET_KEY',
      spoil: () => {},
      env: { SECRET_KEY: randomBytes(32).toString('base64') },
      says: /^this database was made with another SECRET_KEY; put that one back/,
    },
    {
      name: 'with another key in its file',
      spoil: folder =>
        writeFileSync(join(folder, 'secret.key'), randomBytes(32).toString('base64')),
      says: /^this database was made with another SECRET_KEY; put that one back/,
    },
    {
      name: 'with half a key in its file',
      spoil: folder => writeFileSync(join(folder, 'secret.key'), 'aGFsZg=='),
      says: /secret\.key does not hold a key of 32 bytes; put back the original file$/,
    },
    {
      name: 'whose migration was edited',
      spoil: folder => change(folder, `UPDATE hub_migrations SET sha256 = 'edited'`),
      says: /^migration 0001_spine\.sql was edited after it was applied; put its file back/,
    },
    {
      name: 'made by a newer version',
      spoil: folder =>
        change(folder, `INSERT INTO hub_migrations VALUES (9999, '9999_later.sql', 'x', 0)`),
      says: /^the database was made by a newer version \(migration 9999_later\.sql\); start that/,
    },
  ]
  test.each(cases)(
    '$name: one sentence, exit code 1, nothing changed',
    async ({ spoil, env, says }) => {
      const folder = usedFolder()
      spoil(folder)
      const before = contentOf(folder)
      const { code, sentence } = await refusal(folder, env)
      expect(sentence).toMatch(says)
      expect(code).toBe(1)
      expect(contentOf(folder)).toEqual(before)
    },
    TIMEOUT_MS,
  )

  test(
    'a key that takes over names the old one and starts',
    async () => {
      const folder = usedFolder()
      const old = readFileSync(join(folder, 'secret.key'), 'utf8').trim()
      const SECRET_KEY = randomBytes(32).toString('base64')
      await using hub = await startHub({ folder, env: { SECRET_KEY, SECRET_KEY_PREVIOUS: old } })
      expect(await hub.stop()).toBe(0)
      expect((await refusal(folder)).sentence).toMatch(/another SECRET_KEY/)
    },
    TIMEOUT_MS,
  )
})

describe('an environment that is wrong', () => {
  const WRONG: [keyof typeof VARIABLES, string][] = [
    ['PORT', 'eighty'],
    ['PORT', '70000'],
    ['HOST', 'no.such.host.invalid'],
    ['HOST', '203.0.113.7'],
    ['PUBLIC_URL', 'example.com'],
    ['PUBLIC_URL', 'https://example.com/path'],
    ['TRUSTED_PROXIES', 'my-proxy'],
    ['TRUSTED_PROXIES', '10.0.0.0/99'],
    ['TRUSTED_PROXIES', ':::::'],
    ['SECRET_KEY', 'too short'],
    ['SECRET_KEY_PREVIOUS', 'too short'],
    ['LOG_LEVEL', 'loud'],
    ['API_RATE_LIMIT_PER_MINUTE', '0'],
    ['ALLOW_PRIVATE_DESTINATIONS', 'http://127.0.0.1:1'],
    ['ALLOW_PRIVATE_DESTINATIONS', '10.0.0.0/64'],
    ['MONTHLY_BUDGET_USD', '12,50 USD'],
    ['OPERATOR_WEBHOOK_URL', 'https://ops.example.com/hook'],
    ['WEBHOOK_SECRET', 'not so secret'],
  ]
  test.each(WRONG)(
    '%s=%s: one line that names it and what it takes, exit code 2, nothing made',
    async (name, value) => {
      const folder = join(temporaryFolder(), 'data')
      const { code, sentence } = await refusal(folder, { [name]: value })
      expect(sentence).toStartWith(`${name} must be ${VARIABLES[name]}`)
      expect(sentence.replaceAll(VARIABLES[name], '')).not.toContain(value)
      expect(code).toBe(2)
      expect(existsSync(folder)).toBe(false)
    },
    TIMEOUT_MS,
  )

  test('a wrong variable stops every command, and help needs none', async () => {
    const folder = join(temporaryFolder(), 'data')
    const options = { folder, env: { PORT: 'eighty' } }
    expect((await runHub(['apps', 'list'], options)).code).toBe(2)
    expect((await runHub(['--version'], options)).code).toBe(0)
    expect((await runHub(['apps', '--help'], options)).code).toBe(0)
  })
})

describe('a place that is not there', () => {
  test(
    'a port in use: said so, and a first start leaves nothing behind',
    async () => {
      using taken = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('mine') })
      const folder = join(temporaryFolder(), 'data')
      const first = await refusal(folder, { PORT: `${taken.port}` })
      expect(first).toEqual({
        code: 1,
        sentence: `port ${taken.port} is in use; stop what uses it, or set PORT`,
      })
      expect(existsSync(folder)).toBe(false)

      const used = usedFolder()
      const before = contentOf(used)
      expect(await refusal(used, { PORT: `${taken.port}` })).toEqual(first)
      expect(Object.keys(contentOf(used))).toEqual(Object.keys(before))
      await using hub = await startHub({ folder: used })
      expect(await hub.stop()).toBe(0)
    },
    TIMEOUT_MS,
  )

  /** Permissions say nothing to an administrator, so these are impossible for everybody. */
  const places: [string, (folder: string) => string][] = [
    ['is a file', folder => fileAt(join(folder, 'data'))],
    ['lies below a file', folder => join(fileAt(join(folder, 'data')), 'below')],
    ['cannot hold a lock', folder => folderAt(join(folder, 'data/hub.lock'), '..')],
  ]
  test.each(places)(
    'a data folder that %s: one sentence with its name, exit code 1',
    async (_, prepare) => {
      const folder = prepare(temporaryFolder())
      const { code, sentence } = await refusal(folder)
      expect(sentence).toBe(`DATA_DIR (${folder}) is no folder that this user can write to`)
      expect(code).toBe(1)
      const made = ['hub.db', 'secret.key'].filter(name => existsSync(join(folder, name)))
      expect(made).toEqual([])
    },
    TIMEOUT_MS,
  )
})

function fileAt(path: string): string {
  writeFileSync(path, '')
  return path
}

function folderAt(path: string, relative: string): string {
  mkdirSync(path, { recursive: true })
  return join(path, relative)
}

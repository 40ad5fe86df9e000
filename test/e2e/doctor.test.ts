import { Database } from 'bun:sqlite'
import { beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runHub, startHub } from '@test/support/process'
import { temporaryFolder } from '@test/support/test-db'
import { apiOf, finalJobs, makeApp, sandboxed } from './api'

const TIMEOUT_MS = 60_000

type Finding = { check: string; state: string; detail: string; fix?: string }

async function examine(folder: string) {
  const [json, text] = await Promise.all([
    runHub(['doctor', '--json'], { folder }),
    runHub(['doctor'], { folder }),
  ])
  const { ok, findings } = JSON.parse(json.stdout) as { ok: boolean; findings: Finding[] }
  expect([json.code, text.code]).toEqual(ok ? [0, 0] : [1, 1])
  return { ok, text: text.stdout, problems: findings.filter(({ state }) => state === 'problem') }
}

/** A folder in which somebody has bought something, with no server beside it. Each test spoils a copy. */
const original = temporaryFolder()
beforeAll(async () => {
  const folder = original
  const { test_api_key } = await makeApp(folder)
  const hub = await startHub({ folder })
  const api = apiOf(hub.url, test_api_key)
  await api.generate({ input: sandboxed({}) })
  await finalJobs(api)
  expect(await hub.stop()).toBe(0)
}, TIMEOUT_MS)

function livedIn(): string {
  const folder = temporaryFolder()
  cpSync(original, folder, { recursive: true })
  return folder
}

function change(folder: string, sql: string): void {
  const sqlite = new Database(join(folder, 'hub.db'))
  sqlite.run('PRAGMA foreign_keys = OFF')
  sqlite.run(sql)
  sqlite.close()
}

/** A row of an app that is not there: the database itself would have refused it. */
const ORPHAN = `INSERT INTO webhook_endpoints (id, realm_id, url, is_enabled, created_at, updated_at)
  VALUES (1, 1, 'https://example.com', 0, 0, 0)`

describe('the doctor', () => {
  test(
    'finds nothing in a folder that is well, beside a server too',
    async () => {
      const folder = livedIn()
      expect(await examine(folder)).toMatchObject({ ok: true, problems: [] })
      await using _ = await startHub({ folder })
      expect(await examine(folder)).toMatchObject({ ok: true, problems: [] })
    },
    TIMEOUT_MS,
  )

  const illnesses: {
    name: string
    spoil: (folder: string) => void
    finds: Finding
    mend?: RegExp
  }[] = [
    {
      name: 'a key that others may read',
      spoil: folder => chmodSync(join(folder, 'secret.key'), 0o644),
      finds: {
        check: 'secret key',
        state: 'problem',
        detail: expect.stringContaining('can be read by others'),
        fix: expect.stringMatching(/^chmod 600 \/.+secret\.key$/),
      },
    },
    {
      name: 'a balance that no entry explains',
      spoil: folder => change(folder, 'UPDATE users SET balance = balance + 1'),
      finds: {
        check: 'ledger',
        state: 'problem',
        detail: '1 differences',
        fix: expect.stringContaining('`hub ledger verify` names them'),
      },
    },
    {
      name: 'a reference that leads nowhere',
      spoil: folder => change(folder, ORPHAN),
      finds: {
        check: 'database integrity',
        state: 'problem',
        detail: '1 broken references',
        fix: expect.stringContaining('put back your last copy'),
      },
    },
    {
      name: 'a database that is missing',
      spoil: folder => rmSync(join(folder, 'hub.db')),
      finds: {
        check: 'database',
        state: 'problem',
        detail: 'there is none yet',
        fix: expect.stringContaining('start the server once'),
      },
    },
    {
      name: 'a key that is missing',
      spoil: folder => rmSync(join(folder, 'secret.key')),
      finds: {
        check: 'database',
        state: 'problem',
        detail: expect.stringMatching(/needs the SECRET_KEY it was made with.+put it back$/),
      },
    },
    {
      name: 'a clock that is a year late',
      spoil: folder => change(folder, `UPDATE hub SET last_ms = last_ms + ${365 * 24 * 3_600_000}`),
      finds: {
        check: 'clock',
        state: 'problem',
        detail: expect.stringContaining('the newest row is of'),
        fix: expect.stringContaining('set the clock'),
      },
    },
    {
      name: 'a file that is no database',
      spoil: folder => writeFileSync(join(folder, 'hub.db'), 'no database at all'.repeat(1_000)),
      finds: {
        check: 'database',
        state: 'problem',
        detail: expect.stringContaining('not a database'),
        fix: expect.stringContaining('copy'),
      },
    },
  ]
  test.each(illnesses)(
    'finds $name and says how to mend it',
    async ({ spoil, finds }) => {
      const folder = livedIn()
      spoil(folder)
      const { ok, problems, text } = await examine(folder)
      expect(ok).toBe(false)
      expect(problems).toEqual([finds])
      const [problem] = problems
      expect(text).toContain(`PROBLEM  ${problem?.check}: `)
      if (problem?.fix) expect(text).toContain(`\n         -> ${problem.fix}\n`)
    },
    TIMEOUT_MS,
  )
})

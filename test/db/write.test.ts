import { Database } from 'bun:sqlite'
import { describe, expect, test } from 'bun:test'
import { appendFileSync, mkdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fakeClock } from '@test/support/fake-clock'
import { openTestDb, temporaryFolder, testDb, testLog } from '@test/support/test-db'
import { AppError } from '@/base/errors'
import { timeOfId } from '@/base/ids'
import type { Db } from '@/db/open'
import { command } from '@/db/statements'
import { type Tx, write } from '@/db/write'

const insert = command<{ who: string; pad: string }>(
  'INSERT INTO settings (name, value, updated_at) VALUES ($who, $pad, 0)',
)
const CALLERS = 20
const CULPRIT = 6

type Told = { isOk: boolean; code: string }

/** Twenty callers in one flush; the seventh meets `fault`. Answers what each was told. */
async function group(db: Db, fault: (tx: Tx) => void, pad = ''): Promise<Told[]> {
  const answers = await Promise.allSettled(
    Array.from({ length: CALLERS }, (_, index) =>
      write(db, tx => {
        if (index === CULPRIT) fault(tx)
        insert.run(tx, { who: `caller-${index}`, pad })
      }),
    ),
  )
  return answers.map(answer => ({
    isOk: answer.status === 'fulfilled',
    code: answer.status === 'rejected' ? String(answer.reason.code ?? answer.reason.message) : '',
  }))
}

/** What is really in the file, read by a connection that had no part in it. */
function namesAfterReopening(db: Db): string[] {
  db.close()
  const again = new Database(db.path)
  expect(again.query('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
  const rows = again.query("SELECT name FROM settings WHERE name LIKE 'caller-%'").all() as {
    name: string
  }[]
  again.close()
  return rows.map(row => row.name)
}

function expectTruth(db: Db, told: Told[]) {
  const names = new Set(namesAfterReopening(db))
  for (const [index, answer] of told.entries()) {
    expect({ index, isOk: answer.isOk }).toEqual({ index, isOk: names.has(`caller-${index}`) })
  }
}

describe('a group of twenty where the seventh meets a fault', () => {
  const faults: Record<
    string,
    { prepare?: (db: Db) => void; fault: (db: Db) => (tx: Tx) => void }
  > = {
    'a throw': {
      fault: () => () => {
        throw new AppError('insufficient_tokens')
      },
    },
    SQLITE_FULL: {
      prepare: db => {
        const pages = db.sqlite.query('PRAGMA page_count').get() as { page_count: number }
        db.sqlite.run(`PRAGMA max_page_count = ${pages.page_count + 4}`)
      },
      fault: () => tx => insert.run(tx, { who: 'too much', pad: 'x'.repeat(300_000) }),
    },
    'RAISE(ROLLBACK)': {
      prepare: db =>
        db.sqlite.run(`CREATE TEMP TRIGGER bomb BEFORE INSERT ON settings WHEN NEW.name = 'bomb'
          BEGIN SELECT RAISE(ROLLBACK, 'boom'); END`),
      fault: () => tx => insert.run(tx, { who: 'bomb', pad: '' }),
    },
    'a deferred foreign key': {
      prepare: db => {
        db.sqlite.run('CREATE TABLE parents (id INTEGER PRIMARY KEY) STRICT')
        db.sqlite.run(
          'CREATE TABLE children (p INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED) STRICT',
        )
      },
      fault: db => () => db.sqlite.run('INSERT INTO children VALUES (99)'),
    },
    'an INSERT OR ROLLBACK': {
      prepare: db => db.sqlite.run("INSERT INTO settings VALUES ('there', '', 0)"),
      fault: db => () => db.sqlite.run("INSERT OR ROLLBACK INTO settings VALUES ('there', '', 0)"),
    },
  }
  for (const [name, { prepare, fault }] of Object.entries(faults)) {
    test(`${name}: exactly the innocent nineteen commit`, async () => {
      const db = testDb()
      prepare?.(db)
      const told = await group(db, fault(db))
      expect(told.filter(answer => answer.isOk)).toHaveLength(CALLERS - 1)
      expect(told[CULPRIT]?.isOk).toBe(false)
      expectTruth(db, told)
    })
  }

  test('a COMMIT that fails on a full 1 MB file system: none commits, all are told so, and it recovers', async () => {
    const folder = join(temporaryFolder(), 'small')
    mkdirSync(folder)
    const isMounted =
      Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]).exitCode === 0
    try {
      const db = testDb({ folder })
      const free = isMounted ? fillDisk(folder) : forbidGrowth(db)
      const told = await group(db, () => {}, 'x'.repeat(60_000))
      expect(told).toEqual(Array(CALLERS).fill({ isOk: false, code: 'busy' }))
      expect(db.writer.stats().isDiskFull).toBe(true)

      free()
      await write(db, tx => insert.run(tx, { who: 'caller-after', pad: '' }))
      expect(db.writer.stats().isDiskFull).toBe(false)
      expect(namesAfterReopening(db)).toEqual(['caller-after'])
    } finally {
      if (isMounted) Bun.spawnSync(['umount', '-l', folder])
    }
  })
})

/** Writes until nothing more fits. */
function fillDisk(folder: string): () => void {
  const filler = join(folder, 'filler')
  for (const chunk of [65_536, 4_096]) {
    try {
      for (;;) appendFileSync(filler, Buffer.alloc(chunk))
    } catch {}
  }
  return () => unlinkSync(filler)
}

/** Where we may not mount: the same SQLITE_FULL, made by SQLite's own limit. */
function forbidGrowth(db: Db): () => void {
  const { page_count } = db.sqlite.query('PRAGMA page_count').get() as { page_count: number }
  db.sqlite.run(`PRAGMA max_page_count = ${page_count}`)
  return () => db.sqlite.run('PRAGMA max_page_count = 4294967294')
}

describe('one change', () => {
  test('hears nothing before COMMIT, and its hints come after', async () => {
    const db = testDb()
    const order: string[] = []
    const done = write(db, tx => {
      tx.after(() => order.push(`hint, in transaction: ${db.sqlite.inTransaction}`))
      order.push('change')
    }).then(() => order.push('told'))
    await done
    expect(order).toEqual(['change', 'hint, in transaction: false', 'told'])
  })

  test('that returns a promise is undone', async () => {
    const db = testDb()
    const late = write(db, (async (tx: Tx) => {
      insert.run(tx, { who: 'caller-1', pad: '' })
    }) as unknown as (tx: Tx) => string)
    await expect(late).rejects.toThrow('returned a promise')
    expect(namesAfterReopening(db)).toEqual([])
  })

  test('cannot use its tx later', async () => {
    const db = testDb()
    let kept: Tx | null = null
    await write(db, tx => {
      kept = tx
    })
    expect(() => insert.run(kept as unknown as Tx, { who: 'late', pad: '' })).toThrow(
      'tx is closed',
    )
  })

  test('whose hint throws is told ok, and the log has the error', async () => {
    const log = testLog()
    const db = testDb({ log })
    const value = await write(db, tx => {
      tx.after(() => {
        throw new Error('broken hint')
      })
      return 7
    })
    expect(value).toBe(7)
    expect(log.text()).toContain('broken hint')
  })

  test('is refused at once when four thousand wait', async () => {
    const db = testDb()
    const all = Array.from({ length: 4_001 }, () => write(db, () => 1))
    const answers = await Promise.allSettled(all)
    expect(answers.filter(answer => answer.status === 'fulfilled')).toHaveLength(4_000)
    expect(answers.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'busy' } })
  })
})

test('a change after close is refused, and one that waits is answered', async () => {
  const db = testDb()
  const waiting = write(db, () => 1)
  db.close()
  await expect(waiting).rejects.toMatchObject({ code: 'shutting_down' })
  await expect(write(db, () => 1)).rejects.toMatchObject({ code: 'shutting_down' })
})

test('changes of one turn share a commit', async () => {
  const db = testDb()
  await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      write(db, tx => insert.run(tx, { who: `n${i}`, pad: '' })),
    ),
  )
  expect(db.writer.stats()).toMatchObject({ groups: 1, changes: 50 })
})

test('ids and times never go back, whatever the clock does and over a restart', async () => {
  const clock = fakeClock()
  const db = testDb({ clock })
  const first = await write(db, tx => ({ id: tx.id(), now: tx.now }))
  clock.setWall(clock.wall() - 3_600_000)
  const second = await write(db, tx => ({ id: tx.id(), now: tx.now }))
  expect(second.id).toBeGreaterThan(first.id)
  expect(second.now).toBeGreaterThanOrEqual(first.now)
  db.close()

  const earlier = fakeClock(clock.wall() - 3_600_000)
  const again = openTestDb(db.path, { clock: earlier })
  const third = await write(again, tx => ({ id: tx.id(), now: tx.now }))
  expect(third.id).toBeGreaterThan(second.id)
  expect(third.now).toBeGreaterThanOrEqual(second.now)
  expect(timeOfId(third.id)).toBeGreaterThanOrEqual(first.now)
})

test('REPLACE does not get past the triggers of the ledger', async () => {
  const db = testDb()
  db.sqlite.run(
    `INSERT INTO apps (id, name, slug, key_prefix, welcome_grant, rate_limit_per_user, rate_limit_per_app,
       is_enabled, created_at, updated_at) VALUES (1, 'A', 'a', 'a', 0, 30, 1000, 1, 0, 0)`,
  )
  db.sqlite.run(
    "INSERT INTO realms (id, app_id, mode, webhook_secret_sealed) VALUES (2, 1, 'live', 'sealed')",
  )
  db.sqlite.run('INSERT INTO users (id, realm_id, created_at, updated_at) VALUES (3, 2, 0, 0)')
  const entry = `INTO token_entries (user_id, id, realm_id, amount, balance_after, type, description, created_at)
    VALUES (3, 4, 2, 5, 5, 'GRANT', '', 0)`
  db.sqlite.run(`INSERT ${entry}`)
  expect(() => db.sqlite.run(`INSERT OR REPLACE ${entry}`)).toThrow('never deleted')
})

test('ids of two processes never collide', async () => {
  const clock = fakeClock()
  const server = testDb({ clock })
  const shell = openTestDb(server.path, { clock, busyTimeoutMs: 5_000 })
  const seen: number[] = []
  for (let round = 0; round < 20; round++) {
    for (const db of [server, shell]) seen.push(await write(db, tx => tx.id()))
  }
  expect(new Set(seen).size).toBe(seen.length)
  expect(seen).toEqual([...seen].sort((a, b) => a - b))
})

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { testDb } from '@test/support/test-db'
import { type TestHub, testApp, testHub } from '@test/support/test-hub'
import type { UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { JOB_STATUSES, type JobStatus } from '@/db/schema'
import { STATEMENTS } from '@/db/statements'
import { listJobs } from '@/domain/jobs'
import {
  countOfCalls,
  declaredStatements,
  registerAll,
  registeringFiles,
} from './registered-statements'

/** Sorts of a handful of rows, found by an index, where no index can give the order. */
const SMALL_SORTS: { sql: RegExp; because: string }[] = [
  {
    sql: /FROM model_routes r JOIN providers p/,
    because: 'a model has a few routes, and their order is of one table and their filter of two',
  },
  {
    sql: /FROM usage_daily_total\s+WHERE .* GROUP BY (model_id|provider)$/,
    because: 'twenty days have some thousand rows of models and providers, which come by the day',
  },
  {
    sql: /FROM usage_daily\s+WHERE [\s\S]* GROUP BY user_id$/,
    because: 'a page has a hundred users, and their rows come by the day',
  },
]

type Step = { detail: string }

await registerAll()
const DECLARED = declaredStatements()
/** Those of src: other tests of the same process may have registered some of their own. */
const OURS = STATEMENTS.filter(({ sql }) => DECLARED.some(declared => declared.pattern.test(sql)))
const db = testDb()
afterAll(() => db.close())

function planOf(from: Db, sql: string): string[] {
  const steps = from.sqlite.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as Step[]
  return steps.map(step => step.detail)
}

/** The steps that read a table from its beginning to its end, or build an index to avoid that. */
function scansOf(sql: string, plan: string[]): string[] {
  const withs = [...sql.matchAll(/(?:WITH(?: RECURSIVE)?|,)\s+(\w+)(?: \([^)]*\))? AS/g)].map(
    found => found[1] ?? '',
  )
  return plan.filter(step => {
    if (/AUTOMATIC/.test(step)) return true
    const scanned = /^SCAN (\S+)/.exec(step)?.[1]
    if (scanned === undefined || step === 'SCAN CONSTANT ROW') return false
    return !withs.includes(scanned) && !scanned.startsWith('(')
  })
}

function parametersIn(sql: string): string[] {
  return [...new Set([...sql.matchAll(/\$(\w+)/g)].map(found => found[1] ?? ''))].sort()
}

const nameOf = (sql: string) => sql.replace(/\s+/g, ' ').trim().slice(0, 90)

describe('every registered statement', () => {
  test('is found: the files that register, and a statement for each declaration', () => {
    expect(registeringFiles().length).toBeGreaterThan(20)
    expect(DECLARED.length).toBeGreaterThan(90)
    expect(DECLARED.length).toBe(countOfCalls())
    // Texts that are declared twice are registered twice.
    expect(OURS.length).toBe(DECLARED.length)
  })

  test('takes exactly the parameters that its type says, all written $name', () => {
    for (const declared of DECLARED) {
      const at = `${declared.file}:${declared.line}`
      const found = OURS.filter(statement => declared.pattern.test(statement.sql))
      expect({ at, isRegistered: found.length > 0 }).toEqual({ at, isRegistered: true })
      for (const { sql } of found) {
        expect({ at, parameters: parametersIn(sql) }).toEqual({
          at,
          parameters: declared.parameters.toSorted(),
        })
        const bare = sql.replace(/'[^']*'/g, '')
        expect({ at, others: bare.match(/[?@]|:\w/g) }).toEqual({ at, others: null })
      }
    }
  })

  test('that is declared to change something does, and the others only read', () => {
    for (const { sql, writes } of OURS) {
      const isRead = /^\s*(SELECT|WITH)\b/.test(sql)
      expect({ sql: nameOf(sql), isRead }).toEqual({ sql: nameOf(sql), isRead: !writes })
      // A change of everything has no plan at all, so that its scan would not be seen.
      const isBounded = isRead || /^\s*INSERT\b/.test(sql) || /\bWHERE\b/.test(sql)
      expect({ sql: nameOf(sql), isBounded }).toEqual({ sql: nameOf(sql), isBounded: true })
      const mayReplace = /\bOR (REPLACE|ROLLBACK|FAIL|IGNORE)\b|\bREPLACE INTO\b/i.test(sql)
      expect({ sql: nameOf(sql), mayReplace }).toEqual({ sql: nameOf(sql), mayReplace: false })
    }
  })

  for (const { sql, mayScan } of OURS) {
    test(`${nameOf(sql)}: prepares, and ${mayScan ? 'may scan' : 'scans nothing'}`, () => {
      const prepared = db.sqlite.prepare(sql)
      expect(prepared.paramsCount).toBe(parametersIn(sql).length)
      const plan = planOf(db, sql)
      const scans = scansOf(sql, plan)
      // A reason that is no longer needed would excuse the next scan.
      expect({ plan, isScanning: scans.length > 0 }).toEqual({ plan, isScanning: mayScan !== null })
      const sorts = plan.filter(step => step.startsWith('USE TEMP B-TREE'))
      const isSmall = SMALL_SORTS.some(small => small.sql.test(sql))
      expect({ plan, isSorting: sorts.length > 0 }).toEqual({ plan, isSorting: isSmall })
    })
  }

  test('that deletes finds the rows that refer to it by an index', () => {
    const tables = db.sqlite.query("SELECT name FROM sqlite_master WHERE type = 'table'").all() as {
      name: string
    }[]
    for (const { sql } of OURS) {
      const parent = /^\s*DELETE FROM (\w+)/.exec(sql)?.[1]
      if (!parent) continue
      for (const child of tables) {
        const references = db.sqlite
          .query(
            'SELECT id, "from" AS name FROM pragma_foreign_key_list(?) WHERE "table" = ? ORDER BY id, seq',
          )
          .all(child.name, parent) as { id: number; name: string }[]
        for (const columns of Map.groupBy(references, row => row.id).values()) {
          const where = columns.map(column => `"${column.name}" = 1`).join(' AND ')
          const plan = planOf(db, `SELECT 1 FROM "${child.name}" WHERE ${where}`)
          expect({ parent, child: child.name, scans: scansOf('', plan) }).toEqual({
            parent,
            child: child.name,
            scans: [],
          })
        }
      }
    }
  })
})

describe('the rule itself', () => {
  test('sees a scan, a scan of an index, a sort and an automatic index', () => {
    expect(scansOf('', planOf(db, 'SELECT * FROM jobs WHERE kind = 1'))).toHaveLength(1)
    expect(scansOf('', planOf(db, "SELECT id FROM tasks WHERE state = 'ready'"))).toHaveLength(1)
    expect(scansOf('', planOf(db, "DELETE FROM tasks WHERE kind = 'x'"))).toHaveLength(1)
    const join = 'SELECT * FROM jobs a JOIN jobs b ON a.kind = b.kind'
    expect(scansOf('', planOf(db, join)).length).toBeGreaterThan(1)
    const sort = planOf(db, 'SELECT * FROM jobs WHERE id > 5 ORDER BY kind')
    expect(sort).toContain('USE TEMP B-TREE FOR ORDER BY')
  })

  test('lets a constant, a subquery and a WITH pass, but not the table inside', () => {
    const constant = 'SELECT 1'
    expect(scansOf(constant, planOf(db, constant))).toEqual([])
    const inner = 'WITH old AS MATERIALIZED (SELECT id FROM jobs WHERE id < 5) SELECT * FROM old'
    expect(scansOf(inner, planOf(db, inner))).toEqual([])
    const bad = 'WITH old AS MATERIALIZED (SELECT id FROM jobs WHERE kind = 5) SELECT * FROM old'
    expect(scansOf(bad, planOf(db, bad))).toHaveLength(1)
  })
})

describe('every list of jobs', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await testHub({ isRunning: false })
  })
  afterAll(() => hub.close())

  /** What the query builder sends to the database while `act` runs. */
  function sent(act: () => void): string[] {
    const { sqlite } = hub.deps.db
    const seen: string[] = []
    const prepare = sqlite.prepare
    sqlite.prepare = ((sql: string, ...rest: []) => {
      seen.push(sql)
      return prepare.call(sqlite, sql, ...rest)
    }) as typeof sqlite.prepare
    try {
      act()
    } finally {
      sqlite.prepare = prepare
    }
    return seen
  }

  /** All sets of states, the empty one first. */
  const SETS: JobStatus[][] = Array.from({ length: 2 ** JOB_STATUSES.length }, (_, bits) =>
    JOB_STATUSES.filter((_, index) => bits & (1 << index)),
  )

  test('walks an index in its order, whatever is asked for', async () => {
    const { realms } = await testApp(hub.deps)
    let queries = 0
    for (const userId of [null, 7 as UserId]) {
      for (const statuses of SETS) {
        for (const model of [null, 'a-model']) {
          const scope = { realmId: realms.live.id, userId }
          const filter = { statuses, model }
          const statements = sent(() => {
            listJobs(hub.deps, scope, filter, { before: Number.MAX_SAFE_INTEGER, limit: 20 })
          })
          expect(statements.length).toBeGreaterThan(0)
          for (const sql of statements) {
            queries++
            const plan = planOf(hub.deps.db, sql)
            const of = `${userId ? 'a user' : 'a realm'}, ${statuses.join('+') || 'all'}, ${model}`
            expect({ of, plan: plan.filter(step => !isIndexed(step)) }).toEqual({ of, plan: [] })
            expect({ of, limited: / limit \?/i.test(sql) }).toEqual({ of, limited: true })
          }
        }
      }
    }
    expect(queries).toBe(2 * SETS.length * 2)
  })

  test('of what is active or ended badly reads only such rows', async () => {
    const { realms } = await testApp(hub.deps)
    const indexOf = (userId: UserId | null, statuses: JobStatus[]) => {
      const [sql = ''] = sent(() => {
        const scope = { realmId: realms.live.id, userId }
        listJobs(hub.deps, scope, { statuses, model: null }, { before: 2 ** 52, limit: 20 })
      })
      return /INDEX (\w+)/.exec(planOf(hub.deps.db, sql).join(' '))?.[1] ?? 'none'
    }
    const active: JobStatus[][] = [['queued'], ['running'], ['queued', 'running']]
    const badly: JobStatus[][] = [['failed'], ['cancelled'], ['failed', 'cancelled']]
    for (const statuses of active) {
      expect(indexOf(7 as UserId, statuses)).toStartWith('jobs_active')
      expect(indexOf(null, statuses)).toStartWith('jobs_active')
    }
    for (const statuses of badly) expect(indexOf(null, statuses)).toBe('jobs_ended_badly')
  })

  function isIndexed(step: string): boolean {
    return /^SEARCH jobs USING (COVERING )?INDEX jobs_\w+ \(/.test(step)
  }
})

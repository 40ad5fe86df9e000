import { describe, expect, test } from 'bun:test'
import { fakeProvider } from '@test/support/fake-provider'
import { testDb } from '@test/support/test-db'
import { MINUTE, SECOND } from '@/base/clock'
import type { JobId } from '@/base/ids'
import type { Db } from '@/db/open'
import { write } from '@/db/write'
import { asksNoMore, nextQuestionAt, turnToAsk } from '@/domain/generation/poll-pace'
import type { Provider } from '@/providers/spec'

const BUDGET = 600
const budgeted: Provider = { ...fakeProvider({ name: 'counted' }), pollsPerMinute: BUDGET }
const job = (number: number) => number as JobId

const pauseOf = (db: Db, provider: Provider, id: JobId, afterMs: number) =>
  write(db, tx => nextQuestionAt(tx, provider, id, afterMs) - tx.now)

describe('the pause until the next question', () => {
  test('is the adapter’s own where the vendor names no limit, however many wait', async () => {
    const db = testDb()
    const free = fakeProvider({ name: 'free' })
    for (let id = 1; id <= 500; id++) {
      expect(await pauseOf(db, free, job(id), SECOND)).toBe(SECOND)
    }
  })

  test('is the adapter’s own, a little spread, while all together ask less than the vendor allows', async () => {
    const db = testDb()
    for (let id = 1; id <= 10; id++) {
      const pause = await pauseOf(db, budgeted, job(id), 2 * SECOND)
      expect(pause).toBeGreaterThanOrEqual(2 * SECOND)
      expect(pause).toBeLessThanOrEqual(2.3 * SECOND)
    }
  })

  test('grows for all by the same part when they would ask more', async () => {
    const db = testDb()
    // 100 jobs that each ask once a second are ten times the budget of ten a second.
    for (let id = 1; id <= 100; id++) await pauseOf(db, budgeted, job(id), SECOND)
    const quick = await pauseOf(db, budgeted, job(1), SECOND)
    const slow = await pauseOf(db, budgeted, job(2), 4 * SECOND)
    expect(quick).toBeGreaterThanOrEqual(9.5 * SECOND)
    expect(quick).toBeLessThanOrEqual(12 * SECOND)
    expect(slow / quick).toBeGreaterThan(3)
    expect(slow / quick).toBeLessThan(5)
  })

  test('shrinks again when the others have ended', async () => {
    const db = testDb()
    for (let id = 1; id <= 100; id++) await pauseOf(db, budgeted, job(id), SECOND)
    for (let id = 2; id <= 100; id++) asksNoMore(db, budgeted, job(id))
    expect(await pauseOf(db, budgeted, job(1), SECOND)).toBeLessThanOrEqual(1.2 * SECOND)
  })
})

describe('a turn to ask', () => {
  test('comes at once where nobody limits it', () => {
    const db = testDb()
    const free = fakeProvider({ name: 'free' })
    for (let id = 1; id <= 500; id++) expect(turnToAsk(db, free, job(id), 1_000)).toBe(1_000)
  })

  test('is given to each once, one after the other, when all wake in one moment', () => {
    const db = testDb()
    const now = 10 * MINUTE
    const turns = Array.from({ length: BUDGET }, (_, id) =>
      turnToAsk(db, budgeted, job(id + 1), now),
    )
    expect(turns.filter(turn => turn === now).length).toBeLessThanOrEqual(4)
    expect(Math.max(...turns) - now).toBeLessThanOrEqual(MINUTE)
    expect(Math.max(...turns) - now).toBeGreaterThan(MINUTE - 2 * SECOND)
    const mine = turns[300] ?? 0
    expect(turnToAsk(db, budgeted, job(301), mine - 1)).toBe(mine)
    expect(turnToAsk(db, budgeted, job(301), mine)).toBe(mine)
  })
})

import { afterEach, expect, test } from 'bun:test'
import { closeStages, rows, stage } from '@test/domain/jobs/stage'

afterEach(closeStages)

/** How SQLite walks to the rows, in its own words. */
async function planOf(sql: string): Promise<string[]> {
  const on = await stage({ hub: { isRunning: false } })
  return rows<{ detail: string }>(on, `EXPLAIN QUERY PLAN ${sql}`).map(({ detail }) => detail)
}

test('jobs at work are counted in the index that holds no others', async () => {
  const { STATEMENTS } = await import('@/db/statements')
  await import('@/domain/jobs')
  const sql = STATEMENTS.find(
    one => one.sql.includes('count(*) AS count FROM (') && one.sql.includes('user_id'),
  )?.sql
  expect(sql).toBeDefined()
  const bound = (sql ?? '').replace('$userId', '1').replace('$most', '7')
  expect((await planOf(bound)).join('\n')).toContain(
    'SEARCH jobs USING INDEX jobs_active_by_user (user_id=?)',
  )
})

test('no statement on counters and alerts walks a table', async () => {
  const { STATEMENTS } = await import('@/db/statements')
  await import('@/domain/limits')
  const found = STATEMENTS.filter(({ sql }) =>
    /\b(counters|budget_alerts|operator_events)\b/.test(sql),
  )
  expect(found.length).toBeGreaterThan(7)
  for (const { sql } of found) {
    const plan = await planOf(sql.replace(/\$\w+/g, '1'))
    expect(plan.filter(detail => detail.startsWith('SCAN'))).toEqual([])
    const walks = plan.filter(detail => detail.startsWith('SEARCH'))
    for (const walk of walks) expect(walk).toContain('USING')
  }
})

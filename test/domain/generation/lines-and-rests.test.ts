import { afterEach, describe, expect, test } from 'bun:test'
import {
  attemptRows,
  closeStages,
  jobRow,
  rows,
  run,
  runOut,
  runToEnd,
  type Stage,
  stage,
  submit,
} from '@test/domain/jobs/stage'
import { began, cappedStage, countingVendor, worksFor } from '@test/domain/routing/capped'
import {
  at,
  bytes,
  done,
  fails,
  pending,
  pendingForEver,
  picture,
} from '@test/support/fake-provider'
import { MINUTE, SECOND } from '@/base/clock'
import type { JobId } from '@/base/ids'
import { write } from '@/db/write'
import { giveUp } from '@/domain/generation'
import { cancel } from '@/domain/jobs'
import { change, setConfig } from './priced'

afterEach(closeStages)

const GOOD = done(bytes(picture()))
const plain = () => stage({ webhookUrl: null })
const cancelled = (on: Stage, id: JobId) =>
  cancel(on.deps, { kind: 'key', id: 'key_test' }, { realmId: on.realm.id, userId: null }, id, null)

describe('what a vendor charged is booked on', () => {
  test('a job that is cancelled between two tries', async () => {
    const on = await plain()
    on.provider.script(fails('unavailable', { costMicroUsd: 300 }))
    const id = await submit(on)
    await run(on)
    await cancelled(on, id)
    await runOut(on)
    expect(attemptRows(on, id).map(row => row.cost_micro_usd)).toEqual([300])
    expect(jobRow(on, id).cost_micro_usd).toBe(300)
  })

  test('a job that is given up while its vendor works: the whole price', async () => {
    const on = await plain()
    setConfig(on, 'fake', { cost: { per_output: 40 } })
    on.provider.script(pendingForEver())
    const id = await submit(on)
    await run(on)
    await write(on.deps.db, tx => giveUp(tx, id, 'failures'))
    expect(jobRow(on, id).cost_micro_usd).toBe(40)
  })
})

test('a job that stood in line for longer than its patience is not given up by the first short rest', async () => {
  const vendor = countingVendor('only')
  const on = await cappedStage([vendor], [1])
  vendor.script(worksFor(9 * MINUTE + 50 * SECOND), worksFor(9 * MINUTE), worksFor(SECOND))
  const [first, , third] = [await submit(on), await submit(on), await submit(on)]
  await runToEnd(on, first)
  on.clock.advance(4 * MINUTE)
  await run(on)
  change(on, 'UPDATE model_routes SET max_concurrent = NULL')
  change(
    on,
    `UPDATE route_metrics SET failures = 5, rests = 1, resting_until = ?`,
    on.clock.now() + 45 * SECOND,
  )
  await runToEnd(on, third)
  expect(jobRow(on, third)).toMatchObject({ status: 'succeeded' })
})

test('who waited for a probe begins soon after it went well', async () => {
  const on = await plain()
  on.provider.script(...Array.from({ length: 5 }, () => fails('unavailable')), pending(0, GOOD))
  const first = await submit(on)
  await runToEnd(on, first)
  for (let count = 0; count < 10; count++) await submit(on)
  await run(on)
  const [metrics] = rows<{ until: number }>(on, 'SELECT resting_until AS until FROM route_metrics')
  await runOut(on)
  const starts = rows<{ at: number }>(
    on,
    'SELECT started_at AS at FROM attempts WHERE job_id > ?',
    first,
  )
  // The fifth failure, which began the rest, and ten that went well.
  expect(starts.length).toBe(11)
  const latest = Math.max(...starts.map(({ at }) => at)) - (metrics?.until ?? 0)
  expect(latest).toBeLessThan(15 * SECOND)
})

test('a place is free for the next while outputs are copied', async () => {
  const vendor = countingVendor('only')
  const on = await cappedStage([vendor], [1])
  const url = 'https://vendor.example.com/slow.png'
  const end = done(at(url)).done
  vendor.script({ start: 'pending', pollAfterMs: 2 * SECOND, polls: [end] }, worksFor(SECOND))
  on.web.serve(url, call =>
    call < 4 ? new Response('', { status: 500 }) : new Response(picture()),
  )
  await submit(on)
  await submit(on)
  await runOut(on)
  const [one, two] = rows<{ at: number }>(on, 'SELECT started_at AS at FROM attempts ORDER BY id')
  expect((two?.at ?? 0) - (one?.at ?? 0)).toBeLessThanOrEqual(2 * SECOND)
})

test('a job that is cancelled in its start leaves its place to the next', async () => {
  const vendor = countingVendor('only')
  const on = await cappedStage([vendor], [1])
  vendor.script(pendingForEver(10 * MINUTE), worksFor(SECOND))
  const ids = [await submit(on), await submit(on)] as const
  await run(on)
  await cancelled(on, ids[0])
  await run(on)
  expect(began(on)).toEqual([...ids])
})

test('a route that is taken out of its table does not keep its jobs from ending', async () => {
  const on = await plain()
  on.provider.script(pending(1, GOOD))
  const id = await submit(on)
  await run(on)
  change(on, 'DELETE FROM model_routes')
  await runToEnd(on, id)
  expect(jobRow(on, id)).toMatchObject({ status: 'succeeded' })
})

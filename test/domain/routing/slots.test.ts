import { afterEach, describe, expect, test } from 'bun:test'
import {
  attemptRows,
  closeStages,
  copyOfImage,
  imageOfDisk,
  jobRow,
  MODEL,
  nextDue,
  rebootFrom,
  rows,
  run,
  runOut,
  type Stage,
  submit,
  TEXT_MODEL,
  until,
} from '@test/domain/jobs/stage'
import { fails, pendingForEver } from '@test/support/fake-provider'
import { SECOND } from '@/base/clock'
import type { JobId } from '@/base/ids'
import { write } from '@/db/write'
import { cancel } from '@/domain/jobs'
import { wake } from '@/queue/enqueue'
import { began, beganAfter, cappedStage, countingVendor, setCap, worksFor } from './capped'

afterEach(closeStages)

const submitted = async (on: Stage, count: number) => {
  const ids: JobId[] = []
  for (let index = 0; index < count; index++) ids.push(await submit(on))
  return ids
}
const cancelled = (on: Stage, id: JobId) =>
  cancel(on.deps, { kind: 'key', id: 'key_test' }, { realmId: on.realm.id, userId: null }, id, null)
const statuses = (on: Stage, ids: JobId[]) => ids.map(id => jobRow(on, id).status)

/** Time passes until the next thing is due, and that is done. */
async function step(on: Stage) {
  on.clock.advance(Math.max((nextDue(on) ?? 0) - on.clock.now(), 0))
  await run(on)
}

describe('a cap', () => {
  test.each([
    { cap: 1, waves: [0, 2, 4, 6, 8, 10, 12] },
    { cap: 3, waves: [0, 0, 0, 2, 2, 2, 4] },
  ])(
    'of $cap is never passed, and who waits is called in order in the moment a place is free',
    async ({ cap, waves }) => {
      const vendor = countingVendor('only')
      const on = await cappedStage([vendor], [cap])
      const since = on.clock.now()
      const ids = await submitted(on, 7)
      await runOut(on)
      expect(vendor.most).toBe(cap)
      expect(began(on)).toEqual(ids)
      expect(beganAfter(on, since)).toEqual([...waves])
      expect(new Set(statuses(on, ids))).toEqual(new Set(['succeeded']))
    },
  )

  test('is of a route: two models of one vendor do not share it', async () => {
    const vendor = countingVendor('only')
    const on = await cappedStage([vendor], [1])
    vendor.script(pendingForEver())
    for (const model of [MODEL, TEXT_MODEL, MODEL, TEXT_MODEL]) await submit(on, { model })
    await run(on)
    expect(rows(on, 'SELECT model_name AS m FROM jobs WHERE attempts = 1')).toEqual([
      { m: MODEL },
      { m: TEXT_MODEL },
    ])
    expect(vendor.most).toBe(2)
  })

  test('that is full lets the next route serve, and says so', async () => {
    const [small, large] = [countingVendor('small'), countingVendor('large')]
    const on = await cappedStage([small, large], [2, null])
    const ids = await submitted(on, 5)
    await runOut(on)
    expect(ids.map(id => jobRow(on, id).provider_used)).toEqual([
      ...['small', 'small'],
      ...['large', 'large', 'large'],
    ])
    expect([small.most, large.most]).toEqual([2, 3])
    const [last] = attemptRows(on, ids[4] as JobId)
    expect(last?.reason).toBe('chose large: small full')
  })

  test('is free again after a refusal, too', async () => {
    const vendor = countingVendor('only')
    const on = await cappedStage([vendor], [1])
    vendor.script(fails('rejected'))
    const since = on.clock.now()
    const ids = await submitted(on, 4)
    await run(on)
    expect(new Set(statuses(on, ids))).toEqual(new Set(['failed']))
    expect(beganAfter(on, since)).toEqual([0, 0, 0, 0])
    expect(vendor.most).toBe(1)
  })

  test('that was raised is seen within half a minute', async () => {
    const vendor = countingVendor('only')
    vendor.script(pendingForEver(600 * SECOND))
    const on = await cappedStage([vendor], [1])
    await submitted(on, 3)
    await run(on)
    setCap(on, 'only', 3)
    on.clock.advance(32 * SECOND)
    await run(on)
    expect(vendor.open.size).toBe(3)
  })

  test('never makes a job give up: it stands in line for as long as it takes', async () => {
    const vendor = countingVendor('only')
    vendor.script(worksFor(9 * 60 * SECOND))
    const on = await cappedStage([vendor], [1])
    const ids = await submitted(on, 4)
    await runOut(on)
    expect(statuses(on, ids)).toEqual(ids.map(() => 'succeeded'))
    expect(began(on)).toEqual(ids)
  })
})

describe('nobody is overtaken', () => {
  test('by who comes later, however urgent, between the call and the look of who was called', async () => {
    const vendor = countingVendor('only')
    const on = await cappedStage([vendor], [1], { jobs: 1 })
    // With a third one in line it would be the third who keeps the newcomer out.
    const ids = await submitted(on, 2)
    await run(on)
    // Another start takes the only hand, so that nobody can begin while the first one ends.
    const isFree = Promise.withResolvers<void>()
    vendor.onStep = step => (step === 'start:called' ? isFree.promise : undefined)
    const other = await submit(on, { model: TEXT_MODEL })
    await until(() => jobRow(on, other).attempts === 1)
    await write(on.deps.db, tx => void wake(tx, ids[0] as JobId))
    await until(() => jobRow(on, ids[0] as JobId).status === 'succeeded')
    const urgent = await submit(on, { priority: 1 })
    isFree.resolve()
    await runOut(on)
    expect(began(on)).toEqual([...ids.slice(0, 1), other, ...ids.slice(1), urgent])
  })

  test('by others in line whose own look comes just then', async () => {
    const vendor = countingVendor('only')
    const on = await cappedStage([vendor], [1])
    // Ends while everybody in line is looking: all of them stood there for about 30 s.
    vendor.script(worksFor(32 * SECOND), worksFor(SECOND))
    const ids = await submitted(on, 8)
    await run(on)
    on.clock.advance(32 * SECOND)
    await run(on)
    await runOut(on)
    expect(began(on)).toEqual(ids)
  })
})

describe('who is cancelled in line', () => {
  test.each([0, 1, 2])('leaves the place to the next: number %i', async index => {
    const vendor = countingVendor('only')
    const on = await cappedStage([vendor], [1])
    const since = on.clock.now()
    const [running, ...line] = await submitted(on, 4)
    await run(on)
    const [gone] = line.splice(index, 1)
    await cancelled(on, gone as JobId)
    await runOut(on)
    expect(began(on)).toEqual([running as JobId, ...line])
    expect(beganAfter(on, since)).toEqual([0, 2, 4])
  })

  test('when all of them are, the next newcomer is served at once', async () => {
    const vendor = countingVendor('only')
    const on = await cappedStage([vendor], [1])
    const [running, ...line] = await submitted(on, 4)
    await run(on)
    for (const id of line) await cancelled(on, id)
    await step(on)
    expect(jobRow(on, running as JobId).status).toBe('succeeded')
    const since = on.clock.now()
    const newcomer = await submit(on)
    await run(on)
    expect(rows(on, 'SELECT started_at AS at FROM attempts WHERE job_id = ?', newcomer)).toEqual([
      { at: since },
    ])
  })

  test('after the call leaves it to the next, too', async () => {
    const vendor = countingVendor('only')
    const on = await cappedStage([vendor], [1])
    const since = on.clock.now()
    const [, second, third] = await submitted(on, 3)
    await run(on)
    // In the moment of the call, before the called one looks.
    const isCalled = Promise.withResolvers<void>()
    const stop = on.deps.db.bus.subscribe('task.ready', ({ id }) => {
      if (Number(id) !== Number(second)) return
      stop()
      void cancelled(on, second as JobId).then(() => isCalled.resolve())
    })
    await step(on)
    await isCalled.promise
    await runOut(on)
    expect(jobRow(on, second as JobId).status).toBe('cancelled')
    expect(began(on).at(-1)).toBe(third as JobId)
    expect(beganAfter(on, since)).toEqual([0, 2])
  })
})

describe('after a restart', () => {
  test('the line is built anew by the looks: all are served, the cap holds', async () => {
    const vendor = countingVendor('only')
    const first = await cappedStage([vendor], [2])
    const ids = await submitted(first, 6)
    await run(first)
    expect(vendor.open.size).toBe(2)
    const image = copyOfImage(imageOfDisk(first))
    await first.abandon()
    const on = await rebootFrom(image, first)
    await runOut(on)
    expect(statuses(on, ids)).toEqual(ids.map(() => 'succeeded'))
    expect(vendor.most).toBe(2)
    expect(vendor.starts.length).toBe(6)
  })
})

import { afterEach, describe, expect, spyOn, test } from 'bun:test'
import {
  attemptRows,
  attemptStates,
  COST,
  closeStages,
  copyOfImage,
  expectMoney,
  imageOfDisk,
  jobRow,
  MODEL,
  rebootFrom,
  rows,
  run,
  runOut,
  runToEnd,
  type Stage,
  stage,
  submit,
} from '@test/domain/jobs/stage'
import {
  bytes,
  done,
  doneAt,
  fails,
  fakeProvider,
  pending,
  pendingForEver,
  picture,
  type Script,
} from '@test/support/fake-provider'
import { MINUTE, SECOND } from '@/base/clock'
import type { JobId } from '@/base/ids'
import { Decision } from '@/domain/routing'
import { change, learnt, setConfig } from './priced'

afterEach(closeStages)

const GOOD = done(bytes(picture()))

async function vendors(...scripts: Script[][]) {
  const providers = scripts.map((script, index) => {
    const vendor = fakeProvider({ name: ['first', 'second', 'third'][index] ?? 'other' })
    vendor.script(...script)
    return vendor
  })
  const on = await stage({ providers, webhookUrl: null })
  return { on, starts: () => providers.map(vendor => vendor.starts.length) }
}

const decisionOf = (on: Stage, id: JobId, number = 1) => {
  const [row] = rows<{ decision: string }>(
    on,
    'SELECT decision FROM attempts WHERE job_id = ? AND number = ?',
    id,
    number,
  )
  return Decision.parse(JSON.parse(row?.decision ?? 'null'))
}

/** Jobs one after the other, each to its end. */
async function serveEach(on: Stage, count: number) {
  for (let index = 0; index < count; index++) await runToEnd(on, await submit(on))
}

describe('the strategy', () => {
  test('of the model wins over the app’s, and the app’s over priority', async () => {
    const { on, starts } = await vendors([GOOD], [GOOD], [GOOD])
    setConfig(on, 'first', { cost: { per_output: 90 } })
    setConfig(on, 'second', { cost: { per_output: 10 } })
    setConfig(on, 'third', { cost: { per_output: 50 } })
    change(on, `UPDATE model_routes SET quality = 100 WHERE priority = 3`)
    await serveEach(on, 1)
    expect(starts()).toEqual([1, 0, 0])
    change(on, `UPDATE apps SET strategy = 'cheapest'`)
    await serveEach(on, 1)
    expect(starts()).toEqual([1, 1, 0])
    change(on, `UPDATE models SET strategy = 'best' WHERE name = ?`, MODEL)
    await serveEach(on, 1)
    expect(starts()).toEqual([1, 1, 1])
  })

  test('and all that was weighed stands on the attempt, with its sentence', async () => {
    const { on } = await vendors([fails('unavailable')], [GOOD])
    setConfig(on, 'second', { cost: { per_output: 10 } })
    const id = await submit(on)
    await runToEnd(on, id)
    expect(decisionOf(on, id, 1)).toMatchObject({
      strategy: 'priority',
      considered: [
        { provider: 'first', verdict: 'chosen', costMicroUsd: null },
        { provider: 'second', verdict: 'ready', costMicroUsd: 10, score: null },
      ],
    })
    const second = decisionOf(on, id, 2)
    expect(second.considered.map(({ verdict }) => verdict)).toEqual(['tried', 'chosen'])
    const [first, last] = attemptRows(on, id)
    expect(first?.reason).toBe('chose first: first by priority')
    const until = new Date(second.considered[0]?.until ?? 0).toISOString().slice(11, 19)
    expect(last?.reason).toBe(`chose second: first tried a moment ago until ${until}`)
  })
})

describe('a route that fails', () => {
  test('rests after five in a row, over a restart too; then one job probes it', async () => {
    const { on: before, starts } = await vendors([fails('unavailable')], [GOOD])
    await serveEach(before, 7)
    expect(starts()).toEqual([5, 7])
    const restsUntil = before.clock.now() + 15 * SECOND
    const resting = { samples: 5, success: 0, failures: 5, rests: 1, resting_until: restsUntil }
    expect(learnt(before)).toMatchObject([
      { provider: 'first', ...resting },
      { provider: 'second', samples: 7, success: 1, failures: 0, rests: 0, resting_until: null },
    ])

    const image = copyOfImage(imageOfDisk(before))
    await before.abandon()
    const on = await rebootFrom(image, before)
    const id = await submit(on)
    await runToEnd(on, id)
    expect(starts()).toEqual([5, 8])
    expect(attemptRows(on, id)[0]?.reason).toStartWith('chose second: first resting until ')
    on.clock.advance(15 * SECOND)
    await serveEach(on, 3)
    expect(starts()).toEqual([6, 11])
    const [probed] = learnt(on)
    expect(probed).toMatchObject({ rests: 2, resting_until: on.clock.now() + 30 * SECOND })
  })

  test('and is healed serves everybody again, after one probe', async () => {
    const dead = Array.from({ length: 5 }, () => fails('unavailable'))
    const { on, starts } = await vendors([...dead, pending(0, GOOD)], [GOOD])
    await serveEach(on, 5)
    on.clock.advance(15 * SECOND)
    const [probe, other] = [await submit(on), await submit(on)]
    await run(on)
    // Only one of them may find out; the other goes elsewhere.
    expect(starts()).toEqual([6, 6])
    expect(attemptRows(on, other).map(({ reason }) => reason.slice(0, 36))).toEqual([
      'chose second: first is being probed ',
    ])
    await runToEnd(on, probe)
    expect(learnt(on)[0]).toMatchObject({ failures: 0, rests: 0, resting_until: null, samples: 6 })
    await serveEach(on, 3)
    expect(starts()).toEqual([9, 6])
  })

  test('is not one that says no to what was asked, however often', async () => {
    const { on, starts } = await vendors([fails('rejected')], [GOOD])
    await serveEach(on, 7)
    expect(starts()).toEqual([7, 0])
    expect(learnt(on)).toMatchObject([{ samples: 0, failures: 0, rests: 0 }])
  })
})

describe('a vendor that will never serve the job', () => {
  const FOR_GOOD = fails('unavailable', { isPermanent: true })

  test('is the only one: the job fails at once and is refunded', async () => {
    const { on, starts } = await vendors([FOR_GOOD])
    const since = on.clock.now()
    const id = await submit(on)
    await run(on)
    expect(starts()).toEqual([1])
    expect(jobRow(on, id)).toMatchObject({
      status: 'failed',
      error_code: 'provider_failed',
      completed_at: since,
    })
    expect(rows(on, 'SELECT is_permanent FROM attempts')).toEqual([{ is_permanent: 1 }])
    expectMoney(on, id, { charged: COST, refunded: COST })
    expect(rows(on, 'SELECT id FROM tasks')).toEqual([])
  })

  test('is not asked again by this job, and is by others', async () => {
    const { on, starts } = await vendors([FOR_GOOD, GOOD], [fails('unavailable')])
    const id = await submit(on)
    await runToEnd(on, id)
    expect(attemptRows(on, id).map(({ provider }) => provider)).toEqual([
      ...['first', 'second', 'second', 'second'],
    ])
    expect(decisionOf(on, id, 2).considered[0]).toMatchObject({ verdict: 'refused', until: null })
    expect(jobRow(on, id)).toMatchObject({ status: 'failed', attempts: 4 })
    await serveEach(on, 1)
    expect(starts()).toEqual([2, 3])
  })
})

describe('nobody can serve now', () => {
  const restFor = (on: Stage, ms: number) =>
    change(
      on,
      `INSERT INTO route_metrics (route_id, samples, success, failures, rests, resting_until, updated_at)
       SELECT id, 5, 0, 5, 1, ?1, 1 FROM model_routes`,
      on.clock.now() + ms,
    )

  test('the job waits for the end of the rest and is served', async () => {
    const { on } = await vendors([GOOD])
    restFor(on, 5 * MINUTE)
    const since = on.clock.now()
    const id = await submit(on)
    await runToEnd(on, id)
    expect(jobRow(on, id)).toMatchObject({ status: 'succeeded', attempts: 1 })
    const waited = on.clock.now() - since
    expect(waited).toBeGreaterThanOrEqual(5 * MINUTE)
    expect(waited).toBeLessThanOrEqual(5 * MINUTE + 2 * SECOND)
  })

  test.each([
    ['image', 10],
    ['video', 30],
  ])(
    'but not for ever: kind %s gives up after %i minutes, and is refunded',
    async (kind, minutes) => {
      const { on, starts } = await vendors([GOOD])
      change(on, 'UPDATE models SET kind = ? WHERE name = ?', kind, MODEL)
      restFor(on, 60 * MINUTE)
      const since = on.clock.now()
      const id = await submit(on)
      await runToEnd(on, id)
      expect(starts()).toEqual([0])
      expect(jobRow(on, id)).toMatchObject({ status: 'failed', error_code: 'provider_failed' })
      const waited = on.clock.now() - since
      expect(waited).toBeGreaterThan(minutes * MINUTE)
      expect(waited).toBeLessThanOrEqual((minutes + 1) * MINUTE + 2 * SECOND)
      expectMoney(on, id, { charged: COST, refunded: COST })
      await runOut(on)
      expect(rows(on, 'SELECT id FROM tasks')).toEqual([])
    },
  )
})

describe('the deadline of a route', () => {
  test('holds for its attempts, and for no others', async () => {
    const { on } = await vendors([pendingForEver()], [pendingForEver()])
    setConfig(on, 'first', { deadline_seconds: 60 })
    change(on, `UPDATE model_routes SET max_concurrent = 1 WHERE priority = 1`)
    const since = on.clock.now()
    const [short, long] = [await submit(on), await submit(on)]
    await runOut(on)
    expect([short, long].map(id => attemptRows(on, id)[0]?.provider)).toEqual(['first', 'second'])
    expect([short, long].map(id => (jobRow(on, id).completed_at ?? 0) - since)).toEqual([
      MINUTE,
      10 * MINUTE,
    ])
    for (const id of [short, long]) {
      expect(jobRow(on, id)).toMatchObject({ status: 'failed', error_code: 'timeout' })
      expectMoney(on, id, { charged: COST, refunded: COST })
    }
  })

  test('ends a start that hangs: nobody knows whether it began, and nobody begins it again', async () => {
    const { on, starts } = await vendors([{ start: 'hangs' }], [GOOD])
    setConfig(on, 'first', { deadline_seconds: 60, cost: { per_output: 40 } })
    // The only real timer here: it is over as soon as it is set.
    const asked: number[] = []
    const timeout = spyOn(AbortSignal, 'timeout').mockImplementation(ms => {
      asked.push(ms)
      return AbortSignal.abort()
    })
    const id = await submit(on)
    await run(on)
    timeout.mockRestore()
    expect(asked).toEqual([MINUTE])
    expect(attemptStates(on, id)).toEqual(['unknown'])
    await runToEnd(on, id)
    expect(starts()).toEqual([1, 0])
    expect(attemptStates(on, id)).toEqual(['unknown'])
    expect(jobRow(on, id)).toMatchObject({
      status: 'failed',
      error_code: 'timeout',
      cost_micro_usd: 40,
    })
    expectMoney(on, id, { charged: COST, refunded: COST })
    expect(learnt(on)).toMatchObject([{ samples: 1, failures: 1 }])
  })
})

describe('test keys', () => {
  test('pay nothing, teach nothing and have no route', async () => {
    const { on, starts } = await vendors([doneAt(500, bytes(picture()))])
    const id = await submit(on, { realm: on.app.realms.test })
    await runToEnd(on, id)
    expect(starts()).toEqual([0])
    expect(jobRow(on, id)).toMatchObject({
      status: 'succeeded',
      provider_used: 'sandbox',
      cost_micro_usd: 0,
    })
    expect(rows(on, 'SELECT route_id, decision, cost_micro_usd FROM attempts')).toEqual([
      { route_id: null, decision: null, cost_micro_usd: 0 },
    ])
    expect(rows(on, 'SELECT * FROM route_metrics')).toEqual([])
  })
})

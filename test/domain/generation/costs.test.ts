import { afterEach, describe, expect, test } from 'bun:test'
import {
  attemptRows,
  closeStages,
  jobRow,
  MODEL,
  rows,
  run,
  runOut,
  runToEnd,
  type Stage,
  type StageOptions,
  stage,
  submit,
} from '@test/domain/jobs/stage'
import {
  bytes,
  done,
  doneAt,
  fails,
  failure,
  fakeProvider,
  lost,
  pending,
  pendingForEver,
  picture,
  type Script,
} from '@test/support/fake-provider'
import { DAY, HOUR } from '@/base/clock'
import type { JobId } from '@/base/ids'
import { cancel } from '@/domain/jobs'
import type { RouteConfig } from '@/providers/spec'
import { change, learnt, setConfig } from './priced'

afterEach(closeStages)

const pictures = (count: number) => Array.from({ length: count }, (_, mark) => bytes(picture(mark)))

async function vendor(script: Script[], config: RouteConfig = {}, options: StageOptions = {}) {
  const on = await stage({ webhookUrl: null, ...options })
  on.provider.script(...script)
  setConfig(on, on.provider.name, config)
  return on
}

/** What the job cost: on itself, as the sum of its attempts, and on its day. */
function costOf(on: Stage, id: JobId): number {
  const job = jobRow(on, id).cost_micro_usd
  const attempts = attemptRows(on, id).map(row => row.cost_micro_usd ?? 0)
  const [day] = rows<{ cost: number }>(
    on,
    `SELECT sum(cost_micro_usd) AS cost FROM usage_daily WHERE user_id =
       (SELECT user_id FROM jobs WHERE id = ?)`,
    id,
  )
  const sum = attempts.reduce((all, cost) => all + cost, 0)
  expect({ job, day: day?.cost }).toEqual({ job: sum, day: sum })
  return job
}

const cancelled = (on: Stage, id: JobId) =>
  cancel(on.deps, { kind: 'key', id: 'key_test' }, { realmId: on.realm.id, userId: null }, id, null)

/** A model that also takes a length. */
function takeSeconds(on: Stage) {
  const schema = { type: 'object', properties: { duration_seconds: { type: 'number' } } }
  change(on, 'UPDATE models SET input_schema = ? WHERE name = ?', JSON.stringify(schema), MODEL)
}

describe('what was made costs', () => {
  test.each<[string, RouteConfig, Script, number]>([
    ['what the vendor says', { cost: { per_output: 7 } }, doneAt(500, ...pictures(4)), 500],
    ['nothing when the vendor says so', { cost: { per_output: 7 } }, doneAt(0, ...pictures(4)), 0],
    ['by the output', { cost: { per_output: 7 } }, done(...pictures(4)), 28],
    [
      'by what was made, not by what was asked',
      { cost: { per_output: 7 } },
      done(...pictures(3)),
      21,
    ],
    ['by the call', { cost: { per_call: 9 } }, done(...pictures(4)), 9],
    ['by calls of two', { cost: { per_call: 9 }, outputs_per_call: 2 }, done(...pictures(4)), 18],
    ['nothing that is known', {}, done(...pictures(4)), 0],
    [
      'the same when it was polled for',
      { cost: { per_output: 7 } },
      pending(2, done(...pictures(4))),
      28,
    ],
  ])('%s', async (_, config, script, expected) => {
    const on = await vendor([script], config)
    const id = await submit(on, { input: { num_outputs: 4 } })
    await runToEnd(on, id)
    expect(jobRow(on, id).status).toBe('succeeded')
    expect(costOf(on, id)).toBe(expected)
  })

  test.each([
    [5, 2, 80 * 5 * 2],
    [2.5, 1, 200],
    ['8', 1, 640],
  ])('by the second: %p s, %i of them', async (seconds, outputs, expected) => {
    const on = await vendor([done(...pictures(outputs))], { cost: { per_second: 80 } })
    takeSeconds(on)
    const schema = { type: 'object', properties: { duration_seconds: {} } }
    change(on, 'UPDATE models SET input_schema = ?', JSON.stringify(schema))
    const id = await submit(on, { input: { num_outputs: outputs, duration_seconds: seconds } })
    await runToEnd(on, id)
    expect(costOf(on, id)).toBe(expected)
  })

  test('and is learnt by the output, which the next choice goes by', async () => {
    const providers = [fakeProvider({ name: 'first' }), fakeProvider({ name: 'second' })]
    const on = await vendor(
      [doneAt(900, ...pictures(2))],
      { cost: { per_output: 1 } },
      { providers },
    )
    setConfig(on, 'second', { cost: { per_output: 400 } })
    change(on, `UPDATE apps SET strategy = 'cheapest'`)
    await runToEnd(on, await submit(on, { input: { num_outputs: 2 } }))
    expect(learnt(on)).toMatchObject([{ provider: 'first', cost_micro_usd: 450 }])
    const id = await submit(on)
    await runToEnd(on, id)
    expect(jobRow(on, id).provider_used).toBe('second')
  })
})

describe('what was not made costs', () => {
  test('what the vendor takes for its no', async () => {
    const on = await vendor([fails('rejected', { costMicroUsd: 70 })], { cost: { per_output: 7 } })
    const id = await submit(on)
    await runToEnd(on, id)
    expect(jobRow(on, id).status).toBe('failed')
    expect(costOf(on, id)).toBe(70)
  })

  test('nothing when nothing is said of it', async () => {
    const on = await vendor([fails('unavailable')], { cost: { per_output: 7 } })
    const id = await submit(on)
    await runToEnd(on, id)
    expect(attemptRows(on, id).length).toBe(4)
    expect(costOf(on, id)).toBe(0)
  })

  test('what each attempt took, over all vendors', async () => {
    const providers = [fakeProvider({ name: 'first' }), fakeProvider({ name: 'second' })]
    const on = await vendor(
      [
        fails('unavailable', { costMicroUsd: 300 }),
        pending(1, failure('unavailable', { costMicroUsd: 20 })),
      ],
      {},
      { providers },
    )
    providers[1]?.script(fails('rate_limited', { costMicroUsd: 1 }), doneAt(500, ...pictures(1)))
    const id = await submit(on)
    await runToEnd(on, id)
    expect(attemptRows(on, id).map(row => row.cost_micro_usd)).toEqual([300, 1, 20, 500])
    expect(costOf(on, id)).toBe(821)
  })

  test('its worst price when it was given up at its deadline', async () => {
    const on = await vendor([pendingForEver()], { cost: { per_output: 7, per_call: 100 } })
    const id = await submit(on, { input: { num_outputs: 3 } })
    await runToEnd(on, id)
    expect(jobRow(on, id)).toMatchObject({ status: 'failed', error_code: 'timeout' })
    expect(costOf(on, id)).toBe(121)
  })

  test('the same when its start was never answered', async () => {
    const on = await vendor([lost(done(...pictures(1)))], { cost: { per_second: 10 } })
    takeSeconds(on)
    const id = await submit(on, { input: { num_outputs: 2, duration_seconds: 5 } })
    await runToEnd(on, id)
    expect(attemptRows(on, id)[0]).toMatchObject({ state: 'unknown', cost_micro_usd: 100 })
    expect(costOf(on, id)).toBe(100)
  })

  test('nothing but what is known where a route has no rates', async () => {
    const on = await vendor([pendingForEver()])
    const id = await submit(on)
    await runToEnd(on, id)
    expect(attemptRows(on, id)[0]?.cost_micro_usd).toBeNull()
    expect(costOf(on, id)).toBe(0)
  })
})

describe('a job that is cancelled while a vendor works costs', () => {
  test('its listed price, on the job and on its day, and once', async () => {
    const on = await vendor([pendingForEver()], { cost: { per_output: 40 } })
    const id = await submit(on, { input: { num_outputs: 2 } })
    await run(on)
    await cancelled(on, id)
    // Nobody waits for the vendor, so it is booked a moment later.
    expect(jobRow(on, id).cost_micro_usd).toBe(0)
    await runOut(on)
    expect(on.provider.cancels.length).toBe(1)
    expect(attemptRows(on, id)).toMatchObject([{ state: 'cancelled', cost_micro_usd: 80 }])
    expect(costOf(on, id)).toBe(80)
    expect(learnt(on)).toEqual([])
  })

  test('together with what earlier attempts had cost', async () => {
    const on = await vendor([fails('unavailable', { costMicroUsd: 5 }), pendingForEver()], {
      cost: { per_output: 40 },
    })
    const id = await submit(on)
    await run(on)
    on.clock.advance(HOUR)
    await run(on)
    await cancelled(on, id)
    await runOut(on)
    expect(attemptRows(on, id).map(row => row.cost_micro_usd)).toEqual([5, 40])
    expect(costOf(on, id)).toBe(45)
  })

  test('on the day on which it ended, however late it is booked', async () => {
    const on = await vendor([pendingForEver()], { cost: { per_output: 40 } })
    on.clock.advance(DAY - (on.clock.now() % DAY) - 1)
    const id = await submit(on)
    await run(on)
    await cancelled(on, id)
    on.clock.advance(HOUR)
    await runOut(on)
    expect(
      rows(on, 'SELECT day, provider, jobs, cancelled, cost_micro_usd AS cost FROM usage_daily'),
    ).toEqual([{ day: 20260115, provider: 'fake', jobs: 1, cancelled: 1, cost: 40 }])
  })

  test('nothing when nobody had begun', async () => {
    const on = await vendor(
      [pendingForEver()],
      { cost: { per_output: 40 } },
      { hub: { isRunning: false } },
    )
    const id = await submit(on)
    await cancelled(on, id)
    await on.runner.start()
    await runOut(on)
    expect(costOf(on, id)).toBe(0)
  })
})

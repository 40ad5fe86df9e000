import { afterEach, describe, expect, test } from 'bun:test'
import { bytes, done, fails, fakeProvider, picture } from '@test/support/fake-provider'
import { expectLedgerInOrder } from '@test/support/test-hub'
import { AppError } from '@/base/errors'
import { update } from '@/domain/users'
import {
  balance,
  COST,
  closeStages,
  expectMoney,
  jobRow,
  MODEL,
  rows,
  run,
  runOut,
  START_TOKENS,
  type Stage,
  stage,
  submit,
  submitted,
  USER,
  viewOf,
} from './stage'

afterEach(closeStages)

async function refusal(answer: Promise<unknown>): Promise<AppError> {
  const error: unknown = await answer.catch(thrown => thrown)
  expect(error).toBeInstanceOf(AppError)
  return error as AppError
}

/** Everything that a refused request must not leave behind. */
function expectNothingLeft(on: Stage) {
  for (const table of ['jobs', 'job_inputs', 'holds', 'tasks', 'attempts', 'events', 'files']) {
    expect([table, rows(on, `SELECT * FROM ${table}`)]).toEqual([table, []])
  }
  expect(rows(on, `SELECT id FROM token_entries WHERE type <> 'GRANT'`)).toEqual([])
  expectLedgerInOrder(on.deps)
}

describe('accepting', () => {
  test('makes the job, takes the tokens and makes the user, in one write', async () => {
    const on = await stage({ hub: { isRunning: false } })
    const before = on.deps.db.writer.stats().changes
    const answer = await submitted(on, {
      input: { num_outputs: 3 },
      metadata: { screen: 'editor' },
    })
    expect(on.deps.db.writer.stats().changes).toBe(before + 1)
    expect(answer).toMatchObject({
      userBalance: START_TOKENS - 3 * COST,
      isReplay: false,
      job: {
        status: 'queued',
        externalId: USER,
        mode: 'live',
        tokensCharged: 3 * COST,
        tokensRefunded: 0,
        progress: 0,
        queuePosition: 1,
        metadata: '{"screen":"editor"}',
      },
    })
    expect(answer.job.pollAfterSeconds).toBeGreaterThanOrEqual(1)
    expect(answer.job.pollAfterSeconds).toBeLessThanOrEqual(15)
    expect(balance(on)).toEqual({ available: START_TOKENS - 3 * COST, reserved: 3 * COST })
    expectMoney(on, answer.job.id, { charged: 3 * COST, refunded: 0 })
  })

  test('tells each job its place in the line, by priority and then by age', async () => {
    const on = await stage({ hub: { isRunning: false } })
    const late = await submit(on, { priority: 20 })
    const usual = await submit(on)
    const urgent = await submit(on, { priority: 1 })
    await on.runner.start()
    await on.runner.stop(0)
    const place = (id: typeof late) => viewOf(on, id).queuePosition
    expect([urgent, usual, late].map(place)).toEqual([1, 2, 3])
  })

  test('a model that costs nothing holds nothing, and its job ends like any other', async () => {
    const on = await stage()
    on.deps.db.sqlite.run('UPDATE models SET token_cost = 0 WHERE name = ?', [MODEL])
    on.deps.cache.clear()
    const good = await submit(on)
    await run(on)
    on.provider.script(fails('rejected'))
    const bad = await submit(on)
    await runOut(on)
    expect([jobRow(on, good).status, jobRow(on, bad).status]).toEqual(['succeeded', 'failed'])
    for (const id of [good, bad]) expectMoney(on, id, { charged: 0, refunded: 0 })
    expect(rows(on, 'SELECT * FROM holds')).toEqual([])
    expect(balance(on)).toEqual({ available: START_TOKENS, reserved: 0 })
  })

  test('and ending it are counted on the user, each once', async () => {
    const on = await stage()
    await submit(on)
    await run(on)
    on.provider.script(fails('rejected'))
    await submit(on)
    await runOut(on)
    expect(rows(on, 'SELECT total_jobs, successful_jobs FROM users')).toEqual([
      { total_jobs: 2, successful_jobs: 1 },
    ])
  })

  test('the price is frozen: a dearer model costs a waiting job nothing more', async () => {
    const on = await stage({ hub: { isRunning: false } })
    on.provider.script(done(bytes(picture())))
    const id = await submit(on, { input: { num_outputs: 2 } })
    on.deps.db.sqlite.run('UPDATE models SET token_cost = 500 WHERE name = ?', [MODEL])
    on.deps.cache.clear()
    await on.runner.start()
    await runOut(on)
    expectMoney(on, id, { charged: 2 * COST, refunded: COST })
  })
})

describe('refusing leaves nothing behind', () => {
  test('too few tokens: 402 with what there is and what it takes', async () => {
    const on = await stage({ tokens: 5, hub: { isRunning: false } })
    const error = await refusal(submit(on, { input: { num_outputs: 2 } }))
    expect(error.code).toBe('insufficient_tokens')
    expect(error.detail).toEqual({ balance: 5, required: 6 })
    expectNothingLeft(on)
  })

  test('nobody who could serve it: 503, and nothing is held', async () => {
    const on = await stage({ hub: { isRunning: false } })
    on.deps.db.sqlite.run('UPDATE model_routes SET is_enabled = 0')
    expect((await refusal(submit(on))).code).toBe('no_provider_available')
    expectNothingLeft(on)
  })

  test.each([
    ['an unknown model', { model: 'no-such-model' }, 'model_not_found'],
    ['a bad input', { input: { num_outputs: 5 } }, 'invalid_input'],
  ] as const)('%s', async (_, change, code) => {
    const on = await stage({ hub: { isRunning: false } })
    expect((await refusal(submit(on, change))).code).toBe(code)
    expectNothingLeft(on)
    expect(rows(on, 'SELECT * FROM users')).toEqual([])
  })

  test('a user who was switched off: 403', async () => {
    const on = await stage({ hub: { isRunning: false } })
    await submit(on)
    const actor = { kind: 'key' as const, id: 'key_test' }
    await update(on.deps, actor, on.realm, USER, { isActive: false })
    expect((await refusal(submit(on))).code).toBe('user_deactivated')
    expect(rows(on, 'SELECT id FROM jobs').length).toBe(1)
    expect(balance(on).reserved).toBe(COST)
    expectLedgerInOrder(on.deps)
  })

  test('of a hundred at once as many are taken as the tokens pay for', async () => {
    const on = await stage({ tokens: 10 * COST, hub: { isRunning: false } })
    const answers = await Promise.allSettled(Array.from({ length: 100 }, () => submit(on)))
    expect(answers.filter(answer => answer.status === 'fulfilled').length).toBe(10)
    expect(balance(on)).toEqual({ available: 0, reserved: 10 * COST })
    expect(rows(on, 'SELECT id FROM jobs').length).toBe(10)
    await on.runner.start()
    await runOut(on)
    expect(balance(on)).toEqual({ available: 0, reserved: 0 })
    expectLedgerInOrder(on.deps)
  })
})

describe('the same key again', () => {
  const KEY = { key: 'req_1', hash: 'same body' }

  test('answers the job as it is now, and takes nothing', async () => {
    const on = await stage()
    const first = await submitted(on, { idempotency: KEY })
    await run(on)
    const second = await submitted(on, { idempotency: KEY })
    expect([first.isReplay, second.isReplay]).toEqual([false, true])
    expect([second.job.id, second.job.status]).toEqual([first.job.id, 'succeeded'])
    expect(on.provider.starts.length).toBe(1)
    expectMoney(on, first.job.id, { charged: COST, refunded: 0 })
  })

  test('fifty times at once makes one job', async () => {
    const on = await stage()
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => submitted(on, { idempotency: KEY })),
    )
    expect(new Set(answers.map(answer => answer.job.id)).size).toBe(1)
    expect(answers.filter(answer => !answer.isReplay).length).toBe(1)
    await runOut(on)
    expect(on.provider.starts.length).toBe(1)
    expect(balance(on)).toEqual({ available: START_TOKENS - COST, reserved: 0 })
    expectLedgerInOrder(on.deps)
  })

  test('with another body is a 422', async () => {
    const on = await stage({ hub: { isRunning: false } })
    await submit(on, { idempotency: KEY })
    const other = submit(on, { idempotency: { ...KEY, hash: 'other body' } })
    expect((await refusal(other)).code).toBe('idempotency_mismatch')
    expect(rows(on, 'SELECT id FROM jobs').length).toBe(1)
  })

  test('answers also when the model and its providers are gone', async () => {
    const on = await stage({ hub: { isRunning: false } })
    const id = await submit(on, { idempotency: KEY })
    on.deps.db.sqlite.run('UPDATE models SET is_enabled = 0')
    on.deps.cache.clear()
    expect(await submit(on, { idempotency: KEY })).toBe(id)
  })

  test('of another user is another job', async () => {
    const on = await stage({ hub: { isRunning: false } })
    const mine = await submit(on, { idempotency: KEY })
    const theirs = await submit(on, { idempotency: KEY, externalId: 'somebody-else' })
    expect(theirs).not.toBe(mine)
  })

  test('after a refusal is free: nothing was kept', async () => {
    const on = await stage({ tokens: COST, hub: { isRunning: false } })
    const much = { idempotency: KEY, input: { num_outputs: 4 } }
    expect((await refusal(submit(on, much))).code).toBe('insufficient_tokens')
    const id = await submit(on, { idempotency: { ...KEY, hash: 'a smaller one' } })
    expect(jobRow(on, id).status).toBe('queued')
  })
})

test('what a vendor is asked for is what was submitted, with defaults and only its own parameters', async () => {
  const vendor = fakeProvider({ name: 'one' })
  const on = await stage({ providers: [vendor, fakeProvider({ name: 'two' })] })
  await submit(on, {
    input: {
      prompt: 'a lighthouse',
      num_outputs: 2,
      seed: 7,
      aspect_ratio: '16:9',
      provider_params: { one: { steps: 4 }, two: { steps: 5 } },
    },
  })
  await run(on)
  expect(vendor.starts[0]?.input).toEqual({
    providerModel: MODEL,
    kind: 'image',
    prompt: 'a lighthouse',
    images: [],
    aspectRatio: '16:9',
    numOutputs: 2,
    outputFormat: 'png',
    extra: { seed: 7 },
    params: { steps: 4 },
    config: {},
  })
})

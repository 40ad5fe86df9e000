import { afterEach, describe, expect, test } from 'bun:test'
import {
  at,
  bytes,
  done,
  fails,
  failure,
  lost,
  pending,
  pendingForEver,
  picture,
  type Script,
  type Step,
} from '@test/support/fake-provider'
import { testApp } from '@test/support/test-hub'
import { HOUR } from '@/base/clock'
import { AppError } from '@/base/errors'
import type { JobId, UserId } from '@/base/ids'
import type { Actor } from '@/deps'
import * as jobs from '@/domain/jobs'
import {
  attemptRows,
  attemptStates,
  balance,
  blobNames,
  COST,
  closeStages,
  expectBlobsMatchRows,
  expectEndedOnce,
  expectMoney,
  imageOfDisk,
  jobRow,
  rebootFrom,
  rows,
  run,
  runOut,
  START_TOKENS,
  type Stage,
  stage,
  submit,
  until,
  userId,
} from './stage'

afterEach(closeStages)

const ACTOR: Actor = { kind: 'key', id: 'key_test' }
const OUTPUT = 'https://vendor.example.com/output.png'
const GOOD = done(bytes(picture()))

async function cancel(on: Stage, id: JobId, user: UserId | null = null): Promise<jobs.JobView> {
  const scope = { realmId: on.realm.id, userId: user }
  return (await jobs.cancel(on.deps, ACTOR, scope, id, null)).job
}

async function expectRefusal(answer: Promise<unknown>, code: AppError['code']) {
  const error: unknown = await answer.catch(thrown => thrown)
  expect(error).toBeInstanceOf(AppError)
  expect((error as AppError).code).toBe(code)
}

async function expectCancelled(on: Stage, id: JobId) {
  expect(jobRow(on, id)).toMatchObject({ status: 'cancelled', error_code: null })
  expectMoney(on, id, { charged: COST, refunded: COST })
  expect(balance(on)).toEqual({ available: START_TOKENS, reserved: 0 })
  await runOut(on)
  expectEndedOnce(on, id, 'job.cancelled')
  expect(jobRow(on, id).status).toBe('cancelled')
  for (const attempt of attemptRows(on, id)) {
    expect(attempt).toMatchObject({ state: 'cancelled', finished_at: expect.any(Number) })
  }
  expect(blobNames(on)).toEqual([])
}

/** Stops the vendor, or the world, at one step until it is let go. */
function holdAt(
  what: { onStep: (step: never) => unknown },
  step: Step | 'fetch:answered' | 'put:after',
) {
  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  what.onStep = (now: unknown) => {
    if (now !== step) return
    reached.resolve()
    return released.promise
  }
  return { reached: reached.promise, release: () => released.resolve() }
}

describe('a cancelled job gives its tokens back whole and ends once', () => {
  test('in the line: nobody is asked to begin', async () => {
    const on = await stage({ hub: { isRunning: false } })
    const id = await submit(on)
    const view = await cancel(on, id)
    expect(view).toMatchObject({ status: 'cancelled', progress: 100, queuePosition: null })
    await on.runner.start()
    await expectCancelled(on, id)
    expect(on.provider.starts.length).toBe(0)
    expect(attemptRows(on, id)).toEqual([])
  })

  test('waiting for another try', async () => {
    const on = await stage()
    on.provider.script(fails('rate_limited', { retryAfterMs: HOUR }), GOOD)
    const id = await submit(on)
    await run(on)
    await cancel(on, id)
    await runOut(on)
    expect(on.provider.starts.length).toBe(1)
    expect(attemptStates(on, id)).toEqual(['refused'])
    expectMoney(on, id, { charged: COST, refunded: COST })
    expectEndedOnce(on, id, 'job.cancelled')
  })

  const LATE_ANSWERS: [string, Script, number][] = [
    ['an operation: it is cancelled at the vendor, once', pendingForEver(), 1],
    ['bytes: none is kept', GOOD, 0],
    ['an address: nothing is fetched', done(at(OUTPUT)), 0],
    ['a refusal', fails('rejected'), 0],
    ['no answer', lost(GOOD), 0],
  ]
  for (const remoteFirst of [false, true]) {
    const when = remoteFirst ? 'long after' : 'right after'
    test.each(LATE_ANSWERS)(
      `while the start is in flight, and ${when} comes %s`,
      async (_, script, cancels) => {
        const on = await stage()
        on.web.serve(OUTPUT, picture())
        on.provider.script(script)
        const start = holdAt(on.provider, 'start:begun')
        const id = await submit(on)
        await start.reached
        await cancel(on, id)
        if (remoteFirst) await until(() => attemptStates(on, id)[0] === 'cancelled')
        start.release()
        await run(on)
        expect(on.provider.cancels.length).toBe(cancels)
        expect(on.web.to(OUTPUT).length).toBe(0)
        await expectCancelled(on, id)
        expect(on.provider.cancels.length).toBe(cancels)
        expect(on.provider.starts.length).toBe(1)
      },
    )
  }

  test('while the vendor works: the vendor is told once, and never asked again', async () => {
    const on = await stage()
    on.provider.script(pendingForEver())
    const id = await submit(on)
    await run(on)
    await cancel(on, id)
    await run(on)
    expect(on.provider.cancels).toEqual([{ id: 'op-1' }])
    await expectCancelled(on, id)
    expect([on.provider.cancels.length, on.provider.polls.length]).toEqual([1, 0])
  })

  test.each([
    ['not yet', pendingForEver()],
    ['done', pending(0, GOOD)],
    ['done, at an address', pending(0, done(at(OUTPUT)))],
    ['a final no', pending(0, failure('rejected'))],
  ])('while a poll is in flight that then says %s', async (_, script) => {
    const on = await stage()
    on.web.serve(OUTPUT, picture())
    on.provider.script(script)
    const id = await submit(on)
    await run(on)
    const poll = holdAt(on.provider, 'poll:answered')
    on.clock.advance(HOUR / 60)
    const ran = run(on)
    await poll.reached
    await cancel(on, id)
    poll.release()
    await ran
    await expectCancelled(on, id)
    expect(on.provider.cancels.length).toBe(1)
    expect(on.web.to(OUTPUT).length).toBe(0)
  })

  test('while an output is fetched', async () => {
    const on = await stage()
    on.web.serve(OUTPUT, picture())
    on.provider.script(done(at(OUTPUT)))
    const copy = holdAt(on.web, 'fetch:answered')
    const id = await submit(on)
    await copy.reached
    expect(attemptStates(on, id)).toEqual(['produced'])
    await cancel(on, id)
    on.web.onStep = () => {}
    copy.release()
    await expectCancelled(on, id)
  })

  test('while nobody knows whether it began', async () => {
    const on = await stage({ provider: { canFind: true } })
    on.provider.script(lost(pendingForEver()))
    const id = await submit(on)
    await run(on)
    await cancel(on, id)
    await expectCancelled(on, id)
    expect(on.provider.starts.length).toBe(1)
  })

  test('when the process dies before the vendor could be told: it is told by the next life', async () => {
    const on = await stage()
    on.provider.script(pendingForEver())
    const id = await submit(on)
    await run(on)
    const remote = holdAt(on.provider, 'cancel:called')
    await cancel(on, id)
    await remote.reached
    const image = imageOfDisk(on)
    await on.close()
    on.provider.onStep = () => {}
    const next = await rebootFrom(image, on)
    await expectCancelled(next, id)
    expect(on.provider.cancels.length).toBe(1)
  })

  test('at a vendor that cannot cancel', async () => {
    const on = await stage({ provider: { canCancel: false } })
    on.provider.script(pendingForEver())
    const id = await submit(on)
    await run(on)
    await cancel(on, id)
    await expectCancelled(on, id)
  })

  test('at a vendor that cannot be told: after some tries nothing of it is left open', async () => {
    const on = await stage()
    on.provider.script(pendingForEver())
    let told = 0
    on.provider.onStep = step => {
      if (step === 'cancel:called') {
        told++
        throw failure('unavailable')
      }
    }
    const id = await submit(on)
    await run(on)
    await cancel(on, id)
    await expectCancelled(on, id)
    expect(told).toBe(5)
  })
})

describe('cancelling is refused', () => {
  test.each([
    ['succeeded', GOOD],
    ['failed', fails('rejected')],
  ])('after the job %s: 409, and nothing moves', async (status, script) => {
    const on = await stage()
    on.provider.script(script)
    const id = await submit(on)
    await run(on)
    const before = jobRow(on, id)
    expect(before.status).toBe(status)
    await expectRefusal(cancel(on, id), 'job_not_cancellable')
    expect(jobRow(on, id)).toEqual(before)
    await runOut(on)
    expectEndedOnce(on, id, status === 'failed' ? 'job.failed' : 'job.completed')
  })

  test('the second time, and when two do it at once one of them', async () => {
    const on = await stage({ hub: { isRunning: false } })
    const id = await submit(on)
    const answers = await Promise.allSettled([cancel(on, id), cancel(on, id), cancel(on, id)])
    expect(answers.map(answer => answer.status).sort()).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
    ])
    await expectRefusal(cancel(on, id), 'job_not_cancellable')
    await on.runner.start()
    await expectCancelled(on, id)
  })

  test('for another user and for another app: 404, and the job goes on', async () => {
    const on = await stage({ hub: { isRunning: false } })
    const id = await submit(on)
    await submit(on, { externalId: 'somebody-else' })
    const other = await testApp(on.deps)
    await expectRefusal(cancel(on, id, userId(on, 'somebody-else')), 'not_found')
    for (const realm of [other.realms.live, on.app.realms.test]) {
      const scope = { realmId: realm.id, userId: null }
      await expectRefusal(jobs.cancel(on.deps, ACTOR, scope, id, null), 'not_found')
    }
    expect(jobRow(on, id).status).toBe('queued')
    expect((await cancel(on, id, userId(on))).status).toBe('cancelled')
  })
})

test('the same cancel with the same key is a replay, and cancels once', async () => {
  const on = await stage({ hub: { isRunning: false } })
  const id = await submit(on)
  const scope = { realmId: on.realm.id, userId: null }
  const once = { ...scope, operation: 'cancel', key: 'k', hash: 'h' }
  const first = await jobs.cancel(on.deps, ACTOR, scope, id, once)
  const second = await jobs.cancel(on.deps, ACTOR, scope, id, once)
  expect([first.isReplay, second.isReplay]).toEqual([false, true])
  expect(second.job.status).toBe('cancelled')
  await on.runner.start()
  await expectCancelled(on, id)
})

test('cancel against the vendor’s answer, in 200 orders: one end, one event, one refund or none', async () => {
  const on = await stage()
  on.web.serve(OUTPUT, picture())
  const random = seeded(42)
  const scripts = [GOOD, done(at(OUTPUT)), pending(0, GOOD), pending(0, done(at(OUTPUT)))]
  const ends: Record<string, number> = { succeeded: 0, cancelled: 0 }
  let cost = 0
  for (let race = 0; race < 200; race++) {
    const script = scripts[race % scripts.length] ?? GOOD
    on.provider.script(script)
    const id = await submit(on)
    if (script.start === 'pending') {
      await run(on)
      on.clock.advance(2_000)
    }
    const held = holdBehind(on, race % 8 < 6 ? 'the copy' : script)
    const ran = run(on)
    await held.reached

    const cancelled = ticks(random).then(() => cancel(on, id))
    const answered = ticks(random).then(() => held.release())
    const [refusal] = await Promise.all([
      cancelled.then(
        () => null,
        thrown => thrown,
      ),
      answered,
    ])
    await ran
    await run(on)

    const { status } = jobRow(on, id)
    ends[status] = (ends[status] ?? 0) + 1
    expect(status).toBeOneOf(['succeeded', 'cancelled'])
    const isGood = status === 'succeeded'
    expect((refusal as AppError | null)?.code ?? null).toBe(isGood ? 'job_not_cancellable' : null)
    cost += isGood ? COST : 0
    expectMoney(on, id, { charged: COST, refunded: isGood ? 0 : COST })
    expectEndedOnce(on, id, isGood ? 'job.completed' : 'job.cancelled')
    expect(attemptStates(on, id)).toEqual([isGood ? 'succeeded' : 'cancelled'])
    expect(balance(on)).toEqual({ available: START_TOKENS - cost, reserved: 0 })
  }
  expect(ends.succeeded).toBeGreaterThan(30)
  expect(ends.cancelled).toBeGreaterThan(30)
  await runOut(on)
  await expectBlobsMatchRows(on)
  expect(rows(on, 'SELECT id FROM files').length).toBe(ends.succeeded ?? -1)
}, 20_000)

/** Stops the work right before its end is written, or with the vendor's answer in its hands. */
function holdBehind(on: Stage, what: Script | 'the copy') {
  on.provider.onStep = () => {}
  if (what !== 'the copy') {
    return holdAt(on.provider, what.start === 'pending' ? 'poll:answered' : 'start:answered')
  }
  const storage: { onStep: (step: 'put:after') => unknown } = { onStep: () => null }
  const held = holdAt(storage, 'put:after')
  const { put } = on.deps.storage
  on.deps.storage.put = async (key, content) => {
    on.deps.storage.put = put
    await put(key, content)
    await storage.onStep('put:after')
  }
  return held
}

/** A few turns of the loop, or of the line of promises, so that the two sides meet in any order. */
async function ticks(random: (bound: number) => number): Promise<void> {
  for (let turns = random(6); turns > 0; turns--) {
    if (random(2) === 0) await Promise.resolve()
    else await new Promise(resolve => setImmediate(resolve))
  }
}

function seeded(seed: number): (bound: number) => number {
  let state = seed
  return bound => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (state >>> 8) % bound
  }
}

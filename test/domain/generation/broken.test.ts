import { afterEach, describe, expect, test } from 'bun:test'
import {
  attemptRows,
  attemptStates,
  COST,
  closeStages,
  expectBlobsMatchRows,
  expectEndedOnce,
  expectMoney,
  imageOfDisk,
  jobRow,
  outputBytes,
  rebootFrom,
  rows,
  run,
  runOut,
  runToEnd,
  type Stage,
  stage,
  submit,
  until,
} from '@test/domain/jobs/stage'
import {
  at,
  bytes,
  done,
  fakeProvider,
  pending,
  pendingForEver,
  picture,
  type Script,
} from '@test/support/fake-provider'
import { watchForeignCommits } from '@/db/foreign-commits'
import { write } from '@/db/write'
import { createRunner } from '@/queue/runner'
import { taskKinds } from '@/workers/kinds'

afterEach(closeStages)

const FIRST = 'https://vendor.example.com/first.png'
const SECOND = 'https://vendor.example.com/second.png'
const IN_HAND = done(bytes(picture(1)), bytes(picture(2)))
const ADDRESSES = done(at(FIRST), at(SECOND))
const CHARGED = 2 * COST

async function staged(script: Script): Promise<Stage> {
  const on = await stage()
  on.web.serve(FIRST, picture(1))
  on.web.serve(SECOND, picture(2))
  on.provider.script(script)
  return on
}

const submitTwo = (on: Stage) => submit(on, { input: { num_outputs: 2 } })

describe('when our own disk fails', () => {
  const RECOVERABLE: [string, Script][] = [
    ['bytes that can be polled for again', pending(0, IN_HAND)],
    ['addresses', ADDRESSES],
    ['addresses after a poll', pending(1, ADDRESSES)],
  ]
  test.each(RECOVERABLE)(
    'once, %s are stored at the second try; nothing is started twice',
    async (_, script) => {
      const on = await staged(script)
      breakStorage(on, 1)
      const id = await submitTwo(on)
      await runToEnd(on, id)
      expect(on.provider.starts.length).toBe(1)
      expect(attemptStates(on, id)).toEqual(['succeeded'])
      expect(await outputBytes(on, id)).toEqual([picture(1), picture(2)])
      expectMoney(on, id, { charged: CHARGED, refunded: 0 })
      await runOut(on)
      await expectBlobsMatchRows(on)
      expectEndedOnce(on, id, 'job.completed')
    },
  )

  test('for a moment, bytes that nobody else has are stored when it is back', async () => {
    const on = await staged(IN_HAND)
    breakStorage(on, 2)
    const id = await submitTwo(on)
    await runToEnd(on, id)
    expect(on.provider.starts.length).toBe(1)
    expect(await outputBytes(on, id)).toEqual([picture(1), picture(2)])
    expectMoney(on, id, { charged: CHARGED, refunded: 0 })
    await runOut(on)
    await expectBlobsMatchRows(on)
    expectEndedOnce(on, id, 'job.completed')
  })

  test('for good, the bytes that were stored are delivered and the others refunded at once', async () => {
    const on = await staged(IN_HAND)
    breakStorage(on, Number.POSITIVE_INFINITY)
    const id = await submitTwo(on)
    await run(on)
    expect(on.provider.starts.length).toBe(1)
    expect(await outputBytes(on, id)).toEqual([picture(1)])
    expectMoney(on, id, { charged: CHARGED, refunded: CHARGED / 2 })
    await runOut(on)
    await expectBlobsMatchRows(on)
    expectEndedOnce(on, id, 'job.completed')
  })

  test('for ever, the job is given up after six tries and refunded', async () => {
    const on = await staged(pending(0, IN_HAND))
    breakStorage(on, Number.POSITIVE_INFINITY)
    const id = await submitTwo(on)
    await runToEnd(on, id)
    expect([on.provider.starts.length, on.provider.polls.length]).toEqual([1, 6])
    expect(jobRow(on, id)).toMatchObject({ status: 'failed', error_code: 'internal' })
    expect(attemptRows(on, id)).toMatchObject([
      { state: 'failed', finished_at: expect.any(Number) },
    ])
    expectMoney(on, id, { charged: CHARGED, refunded: CHARGED })
    await runOut(on)
    await expectBlobsMatchRows(on)
    expectEndedOnce(on, id, 'job.failed')
  })
})

test('an adapter that is broken fails the job as internal, refunded, without another start', async () => {
  const vendor = fakeProvider()
  delete vendor.poll
  vendor.script(pendingForEver())
  const on = await stage({ providers: [vendor] })
  const id = await submit(on)
  await runToEnd(on, id)
  expect(vendor.starts.length).toBe(1)
  expect(jobRow(on, id)).toMatchObject({ status: 'failed', error_code: 'internal' })
  expectMoney(on, id, { charged: COST, refunded: COST })
  await runOut(on)
  expectEndedOnce(on, id, 'job.failed')
})

test('a vendor that hands out another handle with each answer is polled with the newest', async () => {
  const on = await stage({ provider: { changesOperation: true } })
  on.provider.script(pending(3, done(bytes(picture()))))
  const id = await submit(on)
  await runToEnd(on, id)
  expect(on.provider.polls).toEqual([0, 1, 2, 3].map(version => ({ id: 'op-1', version })))
  expect(jobRow(on, id).status).toBe('succeeded')
  expectMoney(on, id, { charged: COST, refunded: 0 })
})

test('a vendor is polled after the pause that it asks for, and not before', async () => {
  const on = await stage()
  on.provider.script(pending(2, done(bytes(picture())), 33_000))
  await submit(on)
  await run(on)
  for (const polls of [1, 2, 3]) {
    on.clock.advance(32_999)
    await run(on)
    expect(on.provider.polls.length).toBe(polls - 1)
    on.clock.advance(1)
    await run(on)
    expect(on.provider.polls.length).toBe(polls)
  }
})

test('waiting for a vendor holds no slot: more jobs wait at once than there are slots', async () => {
  const on = await stage({ hub: { bounds: { jobs: 2, polls: 1 } } })
  on.provider.script(pending(1, done(bytes(picture()))))
  const ids = [
    await submit(on),
    await submit(on),
    await submit(on),
    await submit(on),
    await submit(on),
  ]
  await run(on)
  expect(on.provider.starts.length).toBe(ids.length)
  for (const id of ids) await runToEnd(on, id)
  expect(ids.map(id => jobRow(on, id).status)).toEqual(ids.map(() => 'succeeded'))
})

test('a vendor is polled although every slot for starts is taken', async () => {
  const on = await stage({ hub: { bounds: { jobs: 1 } } })
  on.provider.script(pending(0, done(bytes(picture()))))
  const waiting = await submit(on)
  await run(on)
  const { reached, release, hold } = held()
  on.provider.onStep = step => (step === 'start:begun' ? hold() : undefined)
  const starting = await submit(on)
  await reached
  expect(on.runner.stats().running.jobs).toBe(1)
  on.clock.advance(2_000)
  const ran = run(on)
  // The timer of the queue is real time's; a second look at what is due is not.
  on.deps.db.bus.publish('task.scheduled', { runAt: on.clock.now() })
  await until(() => jobRow(on, waiting).status === 'succeeded')
  expect(jobRow(on, starting).status).toBe('running')
  release()
  await ran
  expectMoney(on, waiting, { charged: COST, refunded: 0 })
})

test('a start that hangs is hung up on, never repeated, and refunded at its deadline', async () => {
  const on = await stage({ hub: { isRunning: false } })
  on.provider.script({ start: 'hangs' })
  const kinds = taskKinds(on.deps)
  const execute = kinds['job.execute']
  if (!execute) throw new Error('jobs are executed')
  const impatient = createRunner({
    db: on.deps.db,
    log: on.deps.log,
    lanes: on.deps.lanes,
    foreign: watchForeignCommits(on.deps.db),
    bootId: await write(on.deps.db, tx => tx.id()),
    kinds: { ...kinds, 'job.execute': { ...execute, timeoutMs: 20 } },
  })
  await impatient.start()
  const id = await submit(on)
  const there = { ...on, runner: impatient }
  await runToEnd(there, id)
  expect(on.provider.starts.length).toBe(1)
  expect(attemptRows(on, id)).toMatchObject([{ state: 'unknown', error_kind: 'unknown_outcome' }])
  expect(jobRow(on, id)).toMatchObject({ status: 'failed', error_code: 'timeout' })
  expectMoney(on, id, { charged: COST, refunded: COST })
  await runOut(there)
  expectEndedOnce(on, id, 'job.failed')
  await impatient.stop(0)
})

describe('when a claim is lost and the job goes on', () => {
  test('to a stop, an operation that arrives then is kept, not cancelled: the next life polls it', async () => {
    const on = await staged(pending(1, IN_HAND))
    const answer = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    on.provider.onStep = step => {
      if (step !== 'start:answered') return
      reached.resolve()
      return answer.promise
    }
    const id = await submitTwo(on)
    await reached.promise
    await on.runner.stop(0)
    answer.resolve()
    await until(() => attemptStates(on, id)[0] === 'waiting')
    const next = await rebootFrom(imageOfDisk(on), on)
    await runOut(next)
    expect([on.provider.starts.length, on.provider.cancels.length]).toEqual([1, 0])
    expect(jobRow(next, id).status).toBe('succeeded')
    expectMoney(next, id, { charged: CHARGED, refunded: 0 })
    await expectBlobsMatchRows(next)
  })

  test('to another worker, who comes late leaves the blobs of the other alone', async () => {
    const on = await staged(ADDRESSES)
    const [early, late] = [held(), held()]
    on.web.serve(SECOND, async call => {
      await (call === 1 ? early : late).hold()
      return new Response(picture(2))
    })
    const id = await submitTwo(on)
    await early.reached
    takeClaimAway(on, id)
    await late.reached
    early.release()
    await until(() => on.runner.stats().running.jobs === 1)
    expect(jobRow(on, id).status).toBe('running')
    late.release()
    await runOut(on)
    expect(jobRow(on, id).status).toBe('succeeded')
    expect(await outputBytes(on, id)).toEqual([picture(1), picture(2)])
    expectMoney(on, id, { charged: CHARGED, refunded: 0 })
    await expectBlobsMatchRows(on)
    expectEndedOnce(on, id, 'job.completed')
  })
})

/** The last of the coming writes of each pair fails, `times` times. */
function breakStorage(on: Stage, times: number) {
  const { put } = on.deps.storage
  let failures = 0
  on.deps.storage.put = async (key, content) => {
    const isSecond = content.join() === picture(2).join()
    if (isSecond && failures < times) {
      failures++
      throw new Error('ENOSPC: no space left on device')
    }
    await put(key, content)
  }
}

/** As when a handler hung beyond its time: its task is there for the next to take. */
function takeClaimAway(on: Stage, id: number) {
  on.deps.db.sqlite.run(
    `UPDATE tasks SET state = 'ready', claim_token = NULL, boot_id = NULL WHERE id = ?`,
    [id],
  )
  const [task] = rows<{ id: number; pool: string; lane: number; priority: number }>(
    on,
    'SELECT id, pool, lane, priority FROM tasks WHERE id = ?',
    id,
  )
  if (task) on.deps.db.bus.publish('task.ready', task)
}

function held() {
  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  return {
    reached: reached.promise,
    release: () => released.resolve(),
    hold() {
      reached.resolve()
      return released.promise
    },
  }
}

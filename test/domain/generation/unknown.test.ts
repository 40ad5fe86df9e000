import { afterEach, describe, expect, test } from 'bun:test'
import {
  attemptRows,
  balance,
  COST,
  closeStages,
  expectBlobsMatchRows,
  expectEndedOnce,
  expectMoney,
  jobRow,
  outputBytes,
  run,
  runOut,
  runToEnd,
  START_TOKENS,
  stage,
  submit,
} from '@test/domain/jobs/stage'
import {
  at,
  bytes,
  done,
  failure,
  fakeProvider,
  lost,
  pending,
  pendingForEver,
  picture,
} from '@test/support/fake-provider'
import { MINUTE, SECOND } from '@/base/clock'

afterEach(closeStages)

const OUTPUT = 'https://vendor.example.com/found.png'

describe('a start whose answer was lost', () => {
  test('waits for its deadline where nobody can be asked, holds the tokens until then and no longer', async () => {
    const on = await stage()
    on.provider.script(lost(done(bytes(picture()))))
    const startedAt = on.clock.now()
    const id = await submit(on)
    await run(on)
    expect(attemptRows(on, id)[0]).toMatchObject({ state: 'unknown', finished_at: null })
    on.clock.advance(10 * MINUTE - 1)
    await run(on)
    expect(jobRow(on, id).status).toBe('running')
    expect(balance(on).reserved).toBe(COST)
    on.clock.advance(1)
    await run(on)
    expect(jobRow(on, id)).toMatchObject({
      status: 'failed',
      error_code: 'timeout',
      completed_at: startedAt + 10 * MINUTE,
    })
    expect(attemptRows(on, id)).toMatchObject([{ state: 'unknown', error_kind: 'unknown_outcome' }])
    expect(on.provider.starts.length).toBe(1)
    expect(balance(on)).toEqual({ available: START_TOKENS, reserved: 0 })
    expectMoney(on, id, { charged: COST, refunded: COST })
    await runOut(on)
    expectEndedOnce(on, id, 'job.failed')
  })

  test.each([
    ['done with bytes', done(bytes(picture(5)))],
    ['done with an address', done(at(OUTPUT))],
    ['under way and polled from then on', pending(2, done(bytes(picture(5))))],
  ])('is found %s: the job succeeds and nothing was started twice', async (_, script) => {
    const on = await stage({ provider: { canFind: true } })
    on.web.serve(OUTPUT, picture(5))
    on.provider.script(lost(script))
    const id = await submit(on)
    await run(on)
    expect(on.provider.finds).toEqual([])
    await runToEnd(on, id)
    const [start] = on.provider.starts
    expect(on.provider.finds).toEqual([start?.reference ?? ''])
    expect(on.provider.starts.length).toBe(1)
    expect(attemptRows(on, id)).toMatchObject([{ state: 'succeeded' }])
    expect(await outputBytes(on, id)).toEqual([picture(5)])
    expectMoney(on, id, { charged: COST, refunded: 0 })
    await runOut(on)
    await expectBlobsMatchRows(on)
    expectEndedOnce(on, id, 'job.completed')
  })

  test('is asked about after 10 s and then every 30 s until the deadline, when it is not found', async () => {
    const on = await stage({ provider: { canFind: true } })
    const startedAt = on.clock.now()
    const asked: number[] = []
    on.provider.script({ start: 'fails', error: failure('unknown_outcome') })
    on.provider.onStep = step => {
      if (step === 'find:called') asked.push((on.clock.now() - startedAt) / SECOND)
    }
    const id = await submit(on)
    await runToEnd(on, id)
    expect(asked.slice(0, 4)).toEqual([10, 40, 70, 100])
    expect(asked.at(-1)).toBe(600)
    expect(on.provider.starts.length).toBe(1)
    expect(jobRow(on, id)).toMatchObject({ status: 'failed', error_code: 'timeout' })
    expectMoney(on, id, { charged: COST, refunded: COST })
  })

  test('is asked about again when asking fails', async () => {
    const on = await stage({ provider: { canFind: true } })
    on.provider.script(lost(done(bytes(picture()))))
    let asked = 0
    on.provider.onStep = step => {
      if (step === 'find:called' && ++asked <= 2) throw failure('unavailable')
    }
    const id = await submit(on)
    await runToEnd(on, id)
    expect(asked).toBe(3)
    expect(on.provider.starts.length).toBe(1)
    expect(jobRow(on, id).status).toBe('succeeded')
    expectMoney(on, id, { charged: COST, refunded: 0 })
  })

  test('is found under way and never ends: the deadline counts from its start, and the vendor is told', async () => {
    const on = await stage({ provider: { canFind: true } })
    const startedAt = on.clock.now()
    on.provider.script(lost(pendingForEver(40 * SECOND)))
    const id = await submit(on)
    await runToEnd(on, id)
    expect(jobRow(on, id)).toMatchObject({
      error_code: 'timeout',
      completed_at: startedAt + 10 * MINUTE,
    })
    expect(on.provider.cancels.length).toBe(1)
    expectMoney(on, id, { charged: COST, refunded: COST })
  })

  test('goes to no other vendor even when one would serve', async () => {
    const silent = fakeProvider({ name: 'silent' })
    const other = fakeProvider({ name: 'other' })
    silent.script(lost(done(bytes(picture()))))
    const on = await stage({ providers: [silent, other] })
    const id = await submit(on)
    await runToEnd(on, id)
    expect([silent.starts.length, other.starts.length]).toEqual([1, 0])
    expectMoney(on, id, { charged: COST, refunded: COST })
  })
})

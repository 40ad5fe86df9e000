import { afterEach, describe, expect, test } from 'bun:test'
import {
  attemptRows,
  attemptStates,
  balance,
  COST,
  closeStages,
  expectEndedOnce,
  expectMoney,
  jobRow,
  nextDue,
  run,
  runOut,
  runToEnd,
  START_TOKENS,
  type Stage,
  stage,
  submit,
} from '@test/domain/jobs/stage'
import {
  bytes,
  done,
  type FakeProvider,
  fails,
  failure,
  fakeProvider,
  lost,
  pending,
  picture,
  type Script,
} from '@test/support/fake-provider'
import { SECOND } from '@/base/clock'

afterEach(closeStages)

/** Those who wait for one moment come spread over this time after it. */
const LATEST_LOOK_MS = 2 * SECOND

const GOOD = done(bytes(picture()))

/** Two vendors, the first one preferred. */
async function twoVendors(first: Script[], second: Script[] = [GOOD]) {
  const a = fakeProvider({ name: 'first' })
  const b = fakeProvider({ name: 'second' })
  a.script(...first)
  b.script(...second)
  return { on: await stage({ providers: [a, b] }), a, b }
}

const startsOf = (...vendors: FakeProvider[]) => vendors.map(vendor => vendor.starts.length)

describe('another vendor serves', () => {
  test.each([
    ['unavailable at the start', fails('unavailable')],
    ['rate limited at the start', fails('rate_limited')],
    ['unavailable in a poll', pending(1, failure('unavailable'))],
  ])('%s: the next route, and the tokens are taken once', async (_, script) => {
    const { on, a, b } = await twoVendors([script])
    const id = await submit(on)
    await runToEnd(on, id)
    expect(startsOf(a, b)).toEqual([1, 1])
    expect(jobRow(on, id)).toMatchObject({
      status: 'succeeded',
      provider_used: 'second',
      attempts: 2,
    })
    const attempts = attemptRows(on, id)
    expect(attempts.map(row => [row.provider, row.state])).toEqual([
      ['first', 'refused'],
      ['second', 'succeeded'],
    ])
    expect(attempts[1]?.reason).toStartWith('chose second: first tried a moment ago until ')
    expectMoney(on, id, { charged: COST, refunded: 0 })
    await runOut(on)
    expectEndedOnce(on, id, 'job.completed')
  })

  test('each attempt has a reference of its own, and they are counted over all vendors', async () => {
    const { on, a, b } = await twoVendors([fails('unavailable')])
    await runToEnd(on, await submit(on))
    const [first, second] = [...a.starts, ...b.starts].map(({ context }) => context)
    expect([first?.attemptNumber, second?.attemptNumber]).toEqual([1, 2])
    expect(first?.reference).toStartWith('att_')
    expect(first?.reference).not.toBe(second?.reference)
  })

  test('vendors take turns, least tried first, four times in all', async () => {
    const { on, a, b } = await twoVendors([fails('unavailable')], [fails('unavailable')])
    const id = await submit(on)
    await runToEnd(on, id)
    expect(attemptRows(on, id).map(row => row.provider)).toEqual([
      'first',
      'second',
      'first',
      'second',
    ])
    expect(startsOf(a, b)).toEqual([2, 2])
    expect(jobRow(on, id)).toMatchObject({ status: 'failed', error_code: 'provider_failed' })
    expectMoney(on, id, { charged: COST, refunded: COST })
  })
})

describe('nothing is tried before its time', () => {
  test('retry-after is obeyed, by every job and by nobody longer than it says', async () => {
    const on = await stage()
    on.provider.script(fails('rate_limited', { retryAfterMs: 45 * SECOND }), GOOD)
    const [first, second] = [await submit(on), await submit(on)]
    await run(on)
    expect(on.provider.starts.length).toBe(1)
    on.clock.advance(45 * SECOND - 1)
    await run(on)
    expect(on.provider.starts.length).toBe(1)
    on.clock.advance(1 + LATEST_LOOK_MS)
    await run(on)
    expect(on.provider.starts.length).toBe(3)
    expect([first, second].map(id => jobRow(on, id).status)).toEqual(['succeeded', 'succeeded'])
  })

  test('a limited vendor is not waited for where another serves', async () => {
    const { on, a, b } = await twoVendors([fails('rate_limited', { retryAfterMs: 45 * SECOND })])
    const ids = [await submit(on), await submit(on)]
    await run(on)
    expect(startsOf(a, b)).toEqual([1, 2])
    expect(ids.map(id => jobRow(on, id).status)).toEqual(['succeeded', 'succeeded'])
  })

  test('without one the pauses grow: at most 1 s, 2 s and 4 s, at least half of it', async () => {
    const on = await stage()
    on.provider.script(fails('unavailable'))
    await submit(on)
    for (const [index, most] of [1, 2, 4].entries()) {
      await run(on)
      expect(on.provider.starts.length).toBe(index + 1)
      const wait = (nextDue(on) ?? 0) - on.clock.now()
      expect(wait).toBeGreaterThanOrEqual((most * SECOND) / 2)
      expect(wait).toBeLessThanOrEqual(most * SECOND + LATEST_LOOK_MS)
      on.clock.advance(wait)
    }
  })

  test('a poll that is rate limited waits as long as it is told, and starts nothing', async () => {
    const on = await stage()
    on.provider.script({
      start: 'pending',
      pollAfterMs: SECOND,
      polls: [failure('rate_limited', { retryAfterMs: 77 * SECOND }), GOOD.done],
    })
    const id = await submit(on)
    await run(on)
    on.clock.advance(SECOND)
    await run(on)
    expect(on.provider.polls.length).toBe(1)
    expect(nextDue(on)).toBe(on.clock.now() + 77 * SECOND)
    await runToEnd(on, id)
    expect(startsOf(on.provider)).toEqual([1])
    expect(attemptStates(on, id)).toEqual(['succeeded'])
  })
})

describe('no other vendor is asked', () => {
  test.each([
    ['content', 'content_rejected', fails('rejected', { reason: 'content' })],
    ['input', 'invalid_for_provider', fails('rejected', { reason: 'input' })],
    [
      'content, in a poll',
      'content_rejected',
      pending(1, failure('rejected', { reason: 'content' })),
    ],
  ])('a final no to the %s is final everywhere', async (_, code, script) => {
    const { on, a, b } = await twoVendors([script])
    const id = await submit(on)
    await runToEnd(on, id)
    expect(startsOf(a, b)).toEqual([1, 0])
    expect(jobRow(on, id)).toMatchObject({ status: 'failed', error_code: code, attempts: 1 })
    expectMoney(on, id, { charged: COST, refunded: COST })
  })

  test('a start without an answer is started nowhere again', async () => {
    const { on, a, b } = await twoVendors([lost(GOOD)])
    const id = await submit(on)
    await runToEnd(on, id)
    expect(startsOf(a, b)).toEqual([1, 0])
    expect(jobRow(on, id)).toMatchObject({ status: 'failed', error_code: 'timeout' })
    expectMoney(on, id, { charged: COST, refunded: COST })
  })
})

describe('nobody serves', () => {
  test('a job whose last route was switched off while it waited fails and is refunded', async () => {
    const on = await stage()
    on.provider.script(fails('unavailable'))
    const id = await submit(on)
    await run(on)
    switchOff(on, 'fake')
    await runToEnd(on, id)
    expect(startsOf(on.provider)).toEqual([1])
    expect(jobRow(on, id)).toMatchObject({ status: 'failed', error_code: 'provider_failed' })
    expectMoney(on, id, { charged: COST, refunded: COST })
    expect(balance(on)).toEqual({ available: START_TOKENS, reserved: 0 })
  })

  test('a vendor that was switched off between two tries is not asked again, the next one is', async () => {
    const { on, a, b } = await twoVendors([fails('unavailable')], [fails('unavailable'), GOOD])
    const id = await submit(on)
    await run(on)
    switchOff(on, 'first')
    await runToEnd(on, id)
    expect(startsOf(a, b)).toEqual([1, 2])
    expectMoney(on, id, { charged: COST, refunded: 0 })
  })
})

function switchOff(on: Stage, provider: string) {
  on.deps.db.sqlite.run('UPDATE providers SET is_enabled = 0 WHERE name = ?', [provider])
  on.deps.cache.clear()
}

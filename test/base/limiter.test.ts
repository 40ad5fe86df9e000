import { describe, expect, test } from 'bun:test'
import { createLimiter } from '@/base/limiter'

const MINUTE = 60_000

describe('the limiter', () => {
  test('allows so many in a window and not one more', async () => {
    const limiter = createLimiter(MINUTE)
    const states = []
    for (let i = 0; i < 5; i++) states.push(await limiter.take('user 1', 3))
    expect(states.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
      [true, 2],
      [true, 1],
      [true, 0],
      [false, 0],
      [false, 0],
    ])
    expect(states.every(state => state.limit === 3)).toBe(true)
  })

  test('lets exactly as many through when all come at once', async () => {
    const limiter = createLimiter(MINUTE)
    const states = await Promise.all(Array.from({ length: 500 }, () => limiter.take('crowd', 30)))
    expect(states.filter(state => state.allowed)).toHaveLength(30)
  })

  test('counts each name by itself', async () => {
    const limiter = createLimiter(MINUTE)
    await limiter.take('a', 1)
    expect((await limiter.take('a', 1)).allowed).toBe(false)
    expect((await limiter.take('b', 1)).allowed).toBe(true)
  })

  test('takes its limit with each call: it may differ, and change', async () => {
    const limiter = createLimiter(MINUTE)
    for (let i = 0; i < 5; i++) await limiter.take('app', 5)
    expect((await limiter.take('app', 5)).allowed).toBe(false)
    expect(await limiter.take('app', 10)).toMatchObject({ allowed: true, remaining: 3, limit: 10 })
  })

  test('can be asked without being counted', async () => {
    const limiter = createLimiter(MINUTE)
    expect(await limiter.peek('a', 2)).toEqual({
      allowed: true,
      limit: 2,
      remaining: 2,
      resetMs: MINUTE,
    })
    await limiter.take('a', 2)
    for (let i = 0; i < 10; i++) await limiter.peek('a', 2)
    expect((await limiter.peek('a', 2)).remaining).toBe(1)
  })

  test('says when the window begins anew: within it, and not later with each call', async () => {
    const limiter = createLimiter(MINUTE)
    const first = await limiter.take('a', 1)
    const second = await limiter.take('a', 1)
    expect(first.resetMs).toBeGreaterThan(MINUTE - 1_000)
    expect(first.resetMs).toBeLessThanOrEqual(MINUTE)
    expect(second.resetMs).toBeLessThanOrEqual(first.resetMs)
  })

  test('forgets everything when the window ends', async () => {
    const limiter = createLimiter(30)
    await limiter.take('a', 1)
    expect((await limiter.take('a', 1)).allowed).toBe(false)
    const giveUpAt = performance.now() + 3_000
    while ((await limiter.peek('a', 1)).remaining === 0 && performance.now() < giveUpAt) {
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(await limiter.take('a', 1)).toMatchObject({ allowed: true, remaining: 0 })
  })
})

import { describe, expect, test } from 'bun:test'
import { createTurnstile, LeftLine } from '@/base/turnstile'

const never = () => new AbortController().signal

/** A work that ends when it is told to, and tells when it began. */
function work<T = void>() {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const state = { hasBegun: false }
  const run = () => {
    state.hasBegun = true
    return promise
  }
  return { run, state, end: resolve, fail: reject }
}

/** Everything that can follow by promises alone has followed. */
const settled = () => new Promise<void>(resolve => setImmediate(resolve))

describe('a turnstile', () => {
  test('lets so many in, and the others in the order in which they came', async () => {
    const turnstile = createTurnstile(2)
    const works = [work(), work(), work(), work(), work()]
    const passes = works.map(({ run }) => turnstile.pass(never(), run))
    const inside = () => works.map(({ state }) => state.hasBegun)
    await settled()
    expect(inside()).toEqual([true, true, false, false, false])
    expect(turnstile.stats()).toEqual({ taken: 2, waiting: 3 })
    works[1]?.end()
    await settled()
    expect(inside()).toEqual([true, true, true, false, false])
    works[0]?.end()
    await settled()
    expect(inside()).toEqual([true, true, true, true, false])
    for (const each of works) each.end()
    await Promise.all(passes)
    expect(turnstile.stats()).toEqual({ taken: 0, waiting: 0 })
  })

  test('hands on what the work answers, and what it throws', async () => {
    const turnstile = createTurnstile(1)
    expect(await turnstile.pass(never(), async () => 7)).toBe(7)
    const failure = new Error('it broke')
    const thrown = turnstile.pass(never(), () => Promise.reject(failure))
    expect(await thrown.catch(error => error)).toBe(failure)
    const atOnce = turnstile.pass(never(), () => {
      throw failure
    })
    expect(await atOnce.catch(error => error)).toBe(failure)
    expect(turnstile.stats()).toEqual({ taken: 0, waiting: 0 })
  })

  test('lets nothing light overtake what is heavy', async () => {
    const turnstile = createTurnstile(10)
    const [first, heavy, light] = [work(), work(), work()]
    const passes = [
      turnstile.pass(never(), first.run, 4),
      turnstile.pass(never(), heavy.run, 8),
      turnstile.pass(never(), light.run, 1),
    ]
    await settled()
    expect([heavy.state.hasBegun, light.state.hasBegun]).toEqual([false, false])
    first.end()
    await settled()
    expect([heavy.state.hasBegun, light.state.hasBegun]).toEqual([true, true])
    expect(turnstile.stats()).toEqual({ taken: 9, waiting: 0 })
    heavy.end()
    light.end()
    await Promise.all(passes)
  })

  test('lets what is heavier than everything go alone', async () => {
    const turnstile = createTurnstile(10)
    const [giant, light] = [work(), work()]
    const passes = [
      turnstile.pass(never(), giant.run, 1_000),
      turnstile.pass(never(), light.run, 1),
    ]
    await settled()
    expect([giant.state.hasBegun, light.state.hasBegun]).toEqual([true, false])
    giant.end()
    light.end()
    await Promise.all(passes)
    expect(turnstile.stats()).toEqual({ taken: 0, waiting: 0 })
  })

  test.each([Number.NaN, -1])('refuses a weight of %p', async weight => {
    const turnstile = createTurnstile(1)
    expect(turnstile.pass(never(), async () => 1, weight)).rejects.toThrow('a weight')
    expect(turnstile.stats()).toEqual({ taken: 0, waiting: 0 })
  })

  test('never has more inside than its room, and ends empty, whatever comes', async () => {
    const turnstile = createTurnstile(50)
    const order: number[] = []
    let [inside, most] = [0, 0]
    const passes = Array.from({ length: 500 }, (_, index) => {
      const weight = 1 + ((index * 7_919) % 23)
      return turnstile.pass(
        never(),
        async () => {
          order.push(index)
          inside += weight
          most = Math.max(most, inside)
          for (let turns = index % 5; turns > 0; turns--) await settled()
          inside -= weight
          if (index % 11 === 0) throw new Error('some fail')
        },
        weight,
      )
    })
    await Promise.allSettled(passes)
    expect(most).toBeGreaterThan(40)
    expect(most).toBeLessThanOrEqual(50)
    expect(order).toEqual(passes.map((_, index) => index))
    expect(turnstile.stats()).toEqual({ taken: 0, waiting: 0 })
  })
})

describe('whose signal ends', () => {
  test('in line leaves it, and the work never begins', async () => {
    const turnstile = createTurnstile(1)
    const [first, second, third] = [work(), work(), work()]
    const abort = new AbortController()
    const passes = [
      turnstile.pass(never(), first.run),
      turnstile.pass(abort.signal, second.run),
      turnstile.pass(never(), third.run),
    ]
    await settled()
    const reason = new Error('the server is stopping')
    abort.abort(reason)
    const error: unknown = await passes[1]?.catch(thrown => thrown)
    expect(error).toBeInstanceOf(LeftLine)
    expect((error as LeftLine).cause).toBe(reason)
    expect(turnstile.stats()).toEqual({ taken: 1, waiting: 1 })
    first.end()
    await settled()
    expect([second.state.hasBegun, third.state.hasBegun]).toEqual([false, true])
    third.end()
    await passes[2]
    expect(turnstile.stats()).toEqual({ taken: 0, waiting: 0 })
  })

  test('before it came does not even stand in line', async () => {
    const turnstile = createTurnstile(1)
    const never = work()
    const pass = turnstile.pass(AbortSignal.abort(), never.run)
    expect(await pass.catch(thrown => thrown)).toBeInstanceOf(LeftLine)
    expect(never.state.hasBegun).toBe(false)
    expect(turnstile.stats()).toEqual({ taken: 0, waiting: 0 })
  })

  test('at the head of the line lets in what fits behind it', async () => {
    const turnstile = createTurnstile(10)
    const [first, heavy, light] = [work(), work(), work()]
    const abort = new AbortController()
    const passes = [
      turnstile.pass(never(), first.run, 6),
      turnstile.pass(abort.signal, heavy.run, 6),
      turnstile.pass(never(), light.run, 4),
    ]
    const left = passes[1]?.catch(thrown => thrown)
    await settled()
    expect(light.state.hasBegun).toBe(false)
    abort.abort()
    expect(await left).toBeInstanceOf(LeftLine)
    await settled()
    expect(light.state.hasBegun).toBe(true)
    first.end()
    light.end()
    await Promise.all([passes[0], passes[2]])
    expect(turnstile.stats()).toEqual({ taken: 0, waiting: 0 })
  })

  test('inside keeps its place until the work ends by itself', async () => {
    const turnstile = createTurnstile(1)
    const first = work<string>()
    const abort = new AbortController()
    const pass = turnstile.pass(abort.signal, first.run)
    await settled()
    abort.abort()
    await settled()
    expect(turnstile.stats()).toEqual({ taken: 1, waiting: 0 })
    first.end('done')
    expect(await pass).toBe('done')
  })

  test('leaves nothing behind on a signal that outlives it', async () => {
    const turnstile = createTurnstile(1)
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...given: Parameters<typeof add>) => {
      listeners++
      add(...given)
    }
    signal.removeEventListener = (...given: Parameters<typeof remove>) => {
      listeners--
      remove(...given)
    }
    const passes = Array.from({ length: 5 }, () => turnstile.pass(signal, settled))
    expect(listeners).toBeGreaterThan(0)
    await Promise.all(passes)
    expect(listeners).toBe(0)
  })
})

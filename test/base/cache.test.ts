import { describe, expect, mock, test } from 'bun:test'
import { createCache } from '@/base/cache'

describe('the cache', () => {
  test('makes a thing once, and again after it was emptied', () => {
    const cache = createCache()
    let made = 0
    const get = () => cache.get('model:1', () => ({ number: ++made }))
    expect(get()).toBe(get())
    expect(made).toBe(1)
    cache.clear()
    expect(get().number).toBe(2)
  })

  test('keeps what is false, zero or empty as well', () => {
    const cache = createCache()
    for (const value of [false, 0, '']) {
      const make = mock(() => value)
      const get = () => cache.get(`value ${value}`, make)
      expect([get(), get()]).toEqual([value, value])
      expect(make).toHaveBeenCalledTimes(1)
    }
  })

  test('does not keep that something is not there: it may come, and names come from callers', () => {
    const cache = createCache()
    let row: string | null = null
    const get = () => cache.get('key:unknown', () => row)
    expect(get()).toBeNull()
    row = 'made meanwhile'
    expect(get()).toBe('made meanwhile')
  })

  test('keeps nothing when making fails', () => {
    const cache = createCache()
    const failing = () =>
      cache.get('a', () => {
        throw new Error('no')
      })
    expect(failing).toThrow('no')
    expect(cache.get('a', () => 'now')).toBe('now')
  })

  test('tells names apart that objects would not', () => {
    const cache = createCache()
    expect(cache.get('__proto__', () => 1)).toBe(1)
    expect(cache.get('constructor', () => 2)).toBe(2)
    expect(cache.get('__proto__', () => 3)).toBe(1)
  })

  test('is bounded, however many names there are', () => {
    const cache = createCache()
    const make = mock(() => 1)
    const get = (i: number) => cache.get(`name ${i}`, make)
    for (let i = 0; i < 25_000; i++) get(i)
    // The newest is there, the oldest was let go.
    get(24_999)
    expect(make).toHaveBeenCalledTimes(25_000)
    get(0)
    expect(make).toHaveBeenCalledTimes(25_001)
  })
})

import { describe, expect, test } from 'bun:test'
import { backoffMs, jitter } from '@/base/backoff'

const OPTIONS = { firstMs: 1_000, capMs: 60_000 }
const RANDOMS = [0, 0.25, 0.5, 0.75, 0.999999]

describe('backoff', () => {
  test('doubles with each failure, up to the cap', () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 8, 50].map(failures => backoffMs(failures, 1, OPTIONS))
    expect(longest).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  })

  test('stays in the upper half, spread evenly by its random number', () => {
    for (let failures = 1; failures <= 10; failures++) {
      const ceiling = backoffMs(failures, 1, OPTIONS)
      const waits = RANDOMS.map(random => backoffMs(failures, random, OPTIONS))
      expect(waits).toEqual(waits.toSorted((a, b) => a - b))
      expect(waits[0]).toBe(ceiling / 2)
      expect(waits[2]).toBe(ceiling * 0.75)
      expect(Math.max(...waits)).toBeLessThanOrEqual(ceiling)
    }
  })

  test('is a whole number and finite for any count of failures', () => {
    for (const failures of [-5, 0, 1, 31, 32, 1_000, 1_000_000]) {
      const wait = backoffMs(failures, 0.333, OPTIONS)
      expect(Number.isInteger(wait)).toBe(true)
      expect(wait).toBeGreaterThanOrEqual(OPTIONS.firstMs / 2)
      expect(wait).toBeLessThanOrEqual(OPTIONS.capMs)
    }
  })
})

describe('jitter', () => {
  test('moves by up to its share to either side', () => {
    expect(jitter(1_000, 0, 0.1)).toBe(900)
    expect(jitter(1_000, 0.5, 0.1)).toBe(1_000)
    expect(jitter(1_000, 1, 0.1)).toBe(1_100)
    expect(jitter(1_000, 0.3, 0)).toBe(1_000)
  })
})

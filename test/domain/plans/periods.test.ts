import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { numberAt, startOf } from '@/domain/plans/periods'

const iso = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z')
const at = (text: string) => Date.parse(text)

describe('months', () => {
  const months = (anchor: string, count: number) =>
    Array.from({ length: count }, (_, k) => iso(startOf(at(anchor), 'month', k)).slice(0, 10))
  test('from the 31st take the last day, and never drift', () => {
    expect(months('2026-01-31T23:59:59Z', 6)).toEqual([
      '2026-01-31',
      '2026-02-28',
      '2026-03-31',
      '2026-04-30',
      '2026-05-31',
      '2026-06-30',
    ])
    expect(months('2023-12-31T00:00:00Z', 4)).toEqual([
      '2023-12-31',
      '2024-01-31',
      '2024-02-29',
      '2024-03-31',
    ])
  })
  test('from a leap day are on the 29th again in every other month, and in four years', () => {
    const all = months('2024-02-29T12:00:00Z', 49)
    expect([all[1], all[12], all[24], all[48]]).toEqual([
      '2024-03-29',
      '2025-02-28',
      '2026-02-28',
      '2028-02-29',
    ])
  })
  test('in 2100, which is no leap year', () => {
    expect(months('2100-01-30T00:00:00Z', 3)).toEqual(['2100-01-30', '2100-02-28', '2100-03-30'])
  })
})

/** A calendar that counts days one by one and knows of Date nothing at all. */
const LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const isLeap = (year: number) => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
const daysOf = (year: number, month: number) =>
  (LENGTHS[month] ?? 0) + (month === 1 && isLeap(year) ? 1 : 0)
type Day = { year: number; month: number; day: number }

/** Days since 1970. */
function countOf({ year, month, day }: Day): number {
  let count = day - 1
  for (let y = 1970; y < year; y++) count += isLeap(y) ? 366 : 365
  for (let m = 0; m < month; m++) count += daysOf(year, m)
  return count
}

const DAY_MS = 86_400_000
const anchors = fc
  .record({
    year: fc.integer({ min: 2020, max: 2060 }),
    month: fc.integer({ min: 0, max: 11 }),
    // Often at the ends, where months differ.
    day: fc.oneof(fc.integer({ min: 1, max: 31 }), fc.integer({ min: 28, max: 31 })),
    ms: fc.integer({ min: 0, max: DAY_MS - 1 }),
  })
  .map(anchor => ({ ...anchor, day: Math.min(anchor.day, daysOf(anchor.year, anchor.month)) }))

const RUNS = { numRuns: 3_000, seed: 20_260_115 }

describe('over random anchors and forty years', () => {
  test('month k begins on the day of the anchor, or the last one, at its time', () => {
    fc.assert(
      fc.property(anchors, fc.integer({ min: 0, max: 480 }), (anchor, k) => {
        const anchorAt = countOf(anchor) * DAY_MS + anchor.ms
        const year = anchor.year + Math.floor((anchor.month + k) / 12)
        const month = (anchor.month + k) % 12
        const day = Math.min(anchor.day, daysOf(year, month))
        const expected = countOf({ year, month, day }) * DAY_MS + anchor.ms
        expect(iso(startOf(anchorAt, 'month', k))).toBe(iso(expected))
      }),
      RUNS,
    )
  })
  test('days and weeks are as long as each other', () => {
    fc.assert(
      fc.property(anchors, fc.integer({ min: 0, max: 15_000 }), (anchor, k) => {
        const days = countOf(anchor)
        const anchorAt = days * DAY_MS + anchor.ms
        expect(startOf(anchorAt, 'day', k)).toBe((days + k) * DAY_MS + anchor.ms)
        expect(startOf(anchorAt, 'week', k)).toBe((days + 7 * k) * DAY_MS + anchor.ms)
      }),
      RUNS,
    )
  })
  test('every moment lies in the period of its number, and periods follow each other', () => {
    const periods = fc.constantFrom('day' as const, 'week' as const, 'month' as const)
    const later = fc.integer({ min: 0, max: 480 * 28 * DAY_MS })
    fc.assert(
      fc.property(anchors, periods, later, (anchor, period, after) => {
        const anchorAt = countOf(anchor) * DAY_MS + anchor.ms
        const moment = anchorAt + after
        const number = numberAt(anchorAt, period, moment)
        expect(startOf(anchorAt, period, number)).toBeLessThanOrEqual(moment)
        expect(startOf(anchorAt, period, number + 1)).toBeGreaterThan(moment)
        const begin = startOf(anchorAt, period, number)
        expect(numberAt(anchorAt, period, begin)).toBe(number)
        if (begin > anchorAt) expect(numberAt(anchorAt, period, begin - 1)).toBe(number - 1)
      }),
      RUNS,
    )
  })
})

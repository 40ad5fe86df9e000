import { describe, expect, test } from 'bun:test'
import { HOUR, isoSeconds, MINUTE } from '@/base/clock'
import { dayAt, monthAt, periodBefore } from '@/domain/limits/windows'

const day = (at: string, zone: string) => {
  const { period, resetsAt } = dayAt(Date.parse(at), zone)
  return [period, isoSeconds(resetsAt)]
}
const month = (at: string, zone: string) => {
  const { period, resetsAt } = monthAt(Date.parse(at), zone)
  return [period, isoSeconds(resetsAt)]
}

describe('a day', () => {
  const days: [what: string, at: string, zone: string, period: string, resets: string][] = [
    ['is UTC’s', '2026-01-15T10:30:00Z', 'UTC', '2026-01-15', '2026-01-16T00:00:00Z'],
    [
      'ends a moment before midnight',
      '2026-12-31T23:59:59.999Z',
      'UTC',
      '2026-12-31',
      '2027-01-01T00:00:00Z',
    ],
    ['begins at midnight', '2026-01-01T00:00:00Z', 'UTC', '2026-01-01', '2026-01-02T00:00:00Z'],
    [
      'has 23 hours in spring',
      '2026-03-29T00:30:00Z',
      'Europe/Berlin',
      '2026-03-29',
      '2026-03-29T22:00:00Z',
    ],
    [
      'has 25 hours in autumn',
      '2026-10-24T22:00:00Z',
      'Europe/Berlin',
      '2026-10-25',
      '2026-10-25T23:00:00Z',
    ],
    [
      'is the same one in both hours of two o’clock',
      '2026-10-25T01:30:00Z',
      'Europe/Berlin',
      '2026-10-25',
      '2026-10-25T23:00:00Z',
    ],
    [
      'begins by half hours too',
      '2026-05-05T18:30:00Z',
      'Asia/Kolkata',
      '2026-05-06',
      '2026-05-06T18:30:00Z',
    ],
    [
      'begins at one o’clock where there is no midnight',
      '2024-09-08T03:59:59Z',
      'America/Santiago',
      '2024-09-07',
      '2024-09-08T04:00:00Z',
    ],
    [
      'may be missing as a whole',
      '2011-12-30T09:59:59Z',
      'Pacific/Apia',
      '2011-12-29',
      '2011-12-30T10:00:00Z',
    ],
    [
      'and then the next one is there',
      '2011-12-30T10:00:00Z',
      'Pacific/Apia',
      '2011-12-31',
      '2011-12-31T10:00:00Z',
    ],
    [
      'is ahead by 14 hours',
      '2026-01-15T10:30:00Z',
      'Pacific/Kiritimati',
      '2026-01-16',
      '2026-01-16T10:00:00Z',
    ],
  ]
  for (const [what, at, zone, period, resets] of days) {
    test(`${what} (${zone})`, () => expect(day(at, zone)).toEqual([period, resets]))
  }
})

describe('a month', () => {
  const months: [at: string, zone: string, period: string, resets: string][] = [
    ['2024-02-29T23:59:59Z', 'UTC', '2024-02', '2024-03-01T00:00:00Z'],
    ['2026-01-31T23:30:00Z', 'Europe/Berlin', '2026-02', '2026-02-28T23:00:00Z'],
    ['2026-03-01T00:00:00Z', 'Europe/Berlin', '2026-03', '2026-03-31T22:00:00Z'],
    ['2026-12-31T12:00:00Z', 'America/Los_Angeles', '2026-12', '2027-01-01T08:00:00Z'],
  ]
  for (const [at, zone, period, resets] of months) {
    test(`${at} in ${zone}`, () => expect(month(at, zone)).toEqual([period, resets]))
  }
})

test('over two years of every hour no day and no month has a gap, an overlap or a wrong name', () => {
  const zones = [
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
  ]
  const wrong: string[] = []
  let days = 0
  for (const zone of zones) {
    const date = new Intl.DateTimeFormat('en-CA', { timeZone: zone })
    let last = { period: '', resetsAt: 0 }
    for (let at = Date.UTC(2026, 0, 1); at < Date.UTC(2028, 0, 1); at += HOUR) {
      const now = dayAt(at, zone)
      const isNamed = now.period === date.format(at) && now.resetsAt > at
      const isInMonth = now.period.startsWith(monthAt(at, zone).period)
      if (!isNamed || !isInMonth) wrong.push(`${zone} ${isoSeconds(at)} ${now.period}`)
      if (now.period === last.period) continue
      // The last moment is still of the day before, and the next is of this one.
      const { resetsAt } = last
      const isSharp =
        date.format(resetsAt - 1) === last.period &&
        date.format(resetsAt) === now.period &&
        at - resetsAt < HOUR &&
        last.period < now.period
      if (last.period !== '' && !isSharp)
        wrong.push(`${zone} ${last.period} ends ${isoSeconds(resetsAt)}`)
      last = { ...now }
      days++
    }
  }
  expect(wrong).toEqual([])
  expect(days).toBeGreaterThan(zones.length * 729)
})

test('asked out of order, each moment has its own day', () => {
  const late = dayAt(Date.UTC(2026, 5, 10, 12), 'Europe/Paris')
  expect(dayAt(Date.UTC(2026, 5, 9, 12), 'Europe/Paris').period).toBe('2026-06-09')
  expect(dayAt(late.resetsAt, 'Europe/Paris').period).toBe('2026-06-11')
  expect(dayAt(late.resetsAt - MINUTE, 'Europe/Paris').period).toBe('2026-06-10')
})

test('periods are counted back over months and years', () => {
  expect(periodBefore('2026-03-05', 8)).toBe('2026-02-25')
  expect(periodBefore('2024-03-01', 1)).toBe('2024-02-29')
  expect(periodBefore('2026-01-03', 8)).toBe('2025-12-26')
  expect(periodBefore('2026-03', 8)).toBe('2025-07')
  expect(periodBefore('2026-01', 1)).toBe('2025-12')
})

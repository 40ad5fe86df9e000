import { DAY } from '@/base/clock'
import type { Period } from '@/db/schema'

const LENGTH_MS = { day: DAY, week: 7 * DAY }

/**
 * Where period `number` of a subscription begins: so many periods after the anchor, by the calendar of UTC.
 * Always counted from the anchor and never from the period before: a month that is too short takes its last
 * day, and the next one has the anchor's day again (31 January, 28 February, 31 March).
 */
export function startOf(anchorAt: number, period: Period, number: number): number {
  if (period !== 'month') return anchorAt + number * LENGTH_MS[period]
  const { year, month, day, timeOfDay } = partsOf(anchorAt)
  const lastDay = new Date(Date.UTC(year, month + number + 1, 0)).getUTCDate()
  return Date.UTC(year, month + number, Math.min(day, lastDay)) + timeOfDay
}

/** The number of the period that `at` lies in; `at` is not before the anchor. */
export function numberAt(anchorAt: number, period: Period, at: number): number {
  if (period !== 'month') return Math.floor((at - anchorAt) / LENGTH_MS[period])
  const [from, to] = [partsOf(anchorAt), partsOf(at)]
  const months = (to.year - from.year) * 12 + to.month - from.month
  return startOf(anchorAt, period, months) > at ? months - 1 : months
}

function partsOf(ms: number) {
  const date = new Date(ms)
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  return { year, month, day, timeOfDay: ms - Date.UTC(year, month, day) }
}

import { DAY, HOUR } from '@/base/clock'

/** A day or a month as its people count it. */
export type Window = {
  /** `2026-01-15` or `2026-01`: grows with time, letter by letter. */
  period: string
  /** Its end and the beginning of the next one. */
  resetsAt: number
}
type Known = Window & { from: number }
type Length = 'day' | 'month'

/** How long each may be at most; clocks are set back at its end, and once a country moved by a whole day. */
const LONGEST_MS: Record<Length, number> = { day: 2 * DAY + 2 * HOUR, month: 32 * DAY + 2 * HOUR }
const LETTERS: Record<Length, number> = { day: 10, month: 7 }

/** The one in which somebody asked last, by zone: asked for at every submit, and it changes once a day. */
const known = new Map<string, Known>()

export function dayAt(ms: number, timeZone: string): Window {
  return windowAt(ms, timeZone, 'day')
}

export function monthAt(ms: number, timeZone: string): Window {
  return windowAt(ms, timeZone, 'month')
}

function windowAt(ms: number, timeZone: string, length: Length): Window {
  const name = `${length} ${timeZone}`
  const last = known.get(name)
  if (last && ms >= last.from && ms < last.resetsAt) return last
  const period = periodAt(ms, timeZone, length)
  const made = { period, resetsAt: endOf(ms, timeZone, length, period), from: ms }
  known.set(name, made)
  return made
}

/**
 * The first moment of another period, to the second: zones set their clocks at whole ones. Looked for and
 * not calculated, because there are days of 23 and 25 hours, and days that begin at one o'clock.
 */
function endOf(ms: number, timeZone: string, length: Length, period: string): number {
  let inside = Math.floor(ms / 1_000)
  let outside = inside + LONGEST_MS[length] / 1_000
  while (outside - inside > 1) {
    const middle = Math.floor((inside + outside) / 2)
    if (periodAt(middle * 1_000, timeZone, length) === period) inside = middle
    else outside = middle
  }
  return outside * 1_000
}

function periodAt(ms: number, timeZone: string, length: Length): string {
  const date = timeZone === 'UTC' ? new Date(ms).toISOString() : dateIn(timeZone).format(ms)
  return date.slice(0, LETTERS[length])
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** Sweden writes its dates as ISO does. */
function dateIn(timeZone: string): Intl.DateTimeFormat {
  const made =
    formats.get(timeZone) ??
    new Intl.DateTimeFormat('sv-SE', {
      timeZone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    })
  formats.set(timeZone, made)
  return made
}

/** The period so many days or months before this one, whichever it is. */
export function periodBefore(period: string, count: number): string {
  const [year = 0, month = 1, day] = period.split('-').map(Number)
  const date =
    day === undefined
      ? Date.UTC(year, month - 1 - count, 1)
      : Date.UTC(year, month - 1, day - count)
  return new Date(date).toISOString().slice(0, period.length)
}

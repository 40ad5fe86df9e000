import { DAY, dayOf } from '@/base/clock'

/** Days of UTC as their keys (`20260115`), both ends included. */
export type DayRange = { from: number; to: number }

/** Null for anything that is not a day of the calendar, written `2026-01-15`. */
export function readDay(text: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return null
  const ms = Date.parse(`${text}T00:00:00Z`)
  // The parser takes the 30th of February for the 2nd of March.
  return Number.isNaN(ms) || writeDay(dayOf(ms)) !== text ? null : dayOf(ms)
}

export function writeDay(day: number): string {
  const digits = String(day).padStart(8, '0')
  return `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}`
}

/** The day that many days before or, below zero, after it. */
export function daysBefore(day: number, count: number): number {
  return dayOf(startOf(day) - count * DAY)
}

export function countDays({ from, to }: DayRange): number {
  return (startOf(to) - startOf(from)) / DAY + 1
}

/** Newest first. */
export function daysIn(range: DayRange): number[] {
  return Array.from({ length: countDays(range) }, (_, back) => daysBefore(range.to, back))
}

function startOf(day: number): number {
  return Date.parse(`${writeDay(day)}T00:00:00Z`)
}

import { type DayRange, daysIn } from './days'

/**
 * The days of a range in steps of at most `days`, newest first, with a turn of the loop between two: a report
 * over a year is many short reads, and no call waits for all of them.
 */
export async function* inSteps(range: DayRange, days: number): AsyncGenerator<number[]> {
  const all = daysIn(range)
  for (let at = 0; at < all.length; at += days) {
    if (at > 0) await new Promise(resolve => setImmediate(resolve))
    yield all.slice(at, at + days)
  }
}

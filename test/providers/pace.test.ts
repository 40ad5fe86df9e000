import { expect, test } from 'bun:test'
import { pollAfterMs } from '@/providers/pace'

test.each([
  [0, 1_000],
  [4_000, 1_000],
  [20_001, 5_000],
  [600_000, 15_000],
  // A clock that was set back.
  [-60_000, 1_000],
])('after %p ms the next question is in %p ms', (ageMs, afterMs) => {
  expect(pollAfterMs(ageMs, { share: 0.25, soonestMs: 1_000, latestMs: 15_000 })).toBe(afterMs)
})

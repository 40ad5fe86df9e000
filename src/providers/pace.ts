/** How often a vendor is asked. `share` is the part of the time that has passed which the next pause lasts. */
export type Pace = { share: number; soonestMs: number; latestMs: number }

/** Milliseconds until the next question: soon for what is quick, seldom for what is slow. */
export function pollAfterMs(ageMs: number, { share, soonestMs, latestMs }: Pace): number {
  return Math.round(Math.min(Math.max(ageMs * share, soonestMs), latestMs))
}

/**
 * Time of one hub never goes back. When the wall clock is set back we go on at the pace of the monotonic
 * clock until the wall has caught up, so that a timer never stalls and ids stay in order.
 */
export type Clock = {
  /** Milliseconds since 1970, never less than an earlier answer. For everything we store. */
  now(): number
  /** The wall clock as it is. For what others compare with their own clock: signatures and expiries. */
  wall(): number
  /** Raises the floor: nothing we say from now on is earlier than `ms`. */
  notBefore(ms: number): void
}

export function systemClock(): Clock {
  let anchorWall = Date.now()
  let anchorMono = performance.now()
  return {
    now() {
      const wall = Date.now()
      const steady = anchorWall + Math.floor(performance.now() - anchorMono)
      if (wall >= steady) {
        anchorWall = wall
        anchorMono = performance.now()
        return wall
      }
      return steady
    },
    wall: () => Date.now(),
    notBefore(ms) {
      if (this.now() >= ms) return
      anchorWall = ms
      anchorMono = performance.now()
    },
  }
}

/** ISO 8601 in whole seconds: Swift's decoders refuse fractions. */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** `20260115`: the key of daily roll-ups, UTC. */
export function dayOf(ms: number): number {
  return Number(new Date(ms).toISOString().slice(0, 10).replaceAll('-', ''))
}

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

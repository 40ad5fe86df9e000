import type { Clock } from '@/base/clock'

/** Time that moves only when told. `setWall` may go back, as a wall clock may. */
export type FakeClock = Clock & { advance(ms: number): void; setWall(ms: number): void }

export const TEST_START_MS = Date.UTC(2026, 0, 15, 10, 30, 0)

export function fakeClock(startMs = TEST_START_MS): FakeClock {
  let wall = startMs
  let now = startMs
  return {
    now: () => now,
    wall: () => wall,
    notBefore(ms) {
      now = Math.max(now, ms)
    },
    advance(ms) {
      wall += ms
      now += ms
    },
    setWall(ms) {
      wall = ms
      now = Math.max(now, ms)
    },
  }
}

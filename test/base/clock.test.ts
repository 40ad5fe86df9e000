import { afterEach, describe, expect, setSystemTime, test } from 'bun:test'
import { DAY, dayOf, HOUR, isoSeconds, MINUTE, SECOND, systemClock } from '@/base/clock'

// setSystemTime moves the wall clock of this process and leaves the monotonic one alone, as NTP does.
const WALL = Date.UTC(2026, 0, 15, 10, 30)
afterEach(() => {
  setSystemTime()
})
const setWall = (ms: number) => setSystemTime(new Date(ms))

/** Lets the monotonic clock move by `ms` without giving up the turn. */
function spend(ms: number) {
  const until = performance.now() + ms
  while (performance.now() < until) {}
}

describe('the clock of the hub', () => {
  test('is the wall clock as long as that goes forward', () => {
    setWall(WALL)
    const clock = systemClock()
    // The wall stands still here while real time goes on, and the hub's time with it.
    expect(clock.now()).toBeWithin(WALL, WALL + MINUTE)
    setWall(WALL + HOUR)
    expect([clock.now(), clock.wall()]).toEqual([WALL + HOUR, WALL + HOUR])
  })

  test('never goes back and never stands still when the wall clock is set back', () => {
    setWall(WALL)
    const clock = systemClock()
    clock.now()
    setWall(WALL - DAY)
    const steps: number[] = []
    const startedAt = performance.now()
    for (let i = 0; i < 5; i++) {
      spend(4)
      steps.push(clock.now())
    }
    const passed = performance.now() - startedAt
    expect(steps).toEqual(steps.toSorted((a, b) => a - b))
    const [first = 0, last = 0] = [steps[0], steps.at(-1)]
    expect(first).toBeGreaterThanOrEqual(WALL)
    // At the pace of the monotonic clock.
    expect(last - WALL).toBeGreaterThanOrEqual(19)
    expect(last - WALL).toBeLessThanOrEqual(Math.ceil(passed) + 1)
    expect(clock.wall()).toBe(WALL - DAY)
  })

  test('follows the wall clock again once that has caught up', () => {
    setWall(WALL)
    const clock = systemClock()
    setWall(WALL - 10)
    clock.now()
    setWall(WALL + SECOND)
    expect(clock.now()).toBe(WALL + SECOND)
    setWall(WALL + 2 * SECOND)
    expect(clock.now()).toBe(WALL + 2 * SECOND)
  })

  test('never goes back over a thousand jumps of the wall clock', () => {
    setWall(WALL)
    const clock = systemClock()
    let last = 0
    for (let i = 0; i < 1_000; i++) {
      setWall(WALL + Math.round(Math.sin(i * 12.9898) * 5_000))
      const now = clock.now()
      expect(now >= last).toBe(true)
      expect(Number.isInteger(now)).toBe(true)
      last = now
    }
    expect(last).toBeGreaterThanOrEqual(WALL + 4_900)
  })

  test('is raised to what the database has seen, and goes on from there', () => {
    setWall(WALL)
    const clock = systemClock()
    clock.notBefore(WALL + HOUR)
    expect(clock.now()).toBeGreaterThanOrEqual(WALL + HOUR)
    const before = clock.now()
    spend(6)
    expect(clock.now()).toBeGreaterThanOrEqual(before + 5)
    expect(clock.wall()).toBe(WALL)
    setWall(WALL + 2 * HOUR)
    expect(clock.now()).toBe(WALL + 2 * HOUR)
  })

  test('is not lowered by an earlier time', () => {
    setWall(WALL)
    const clock = systemClock()
    clock.notBefore(WALL - DAY)
    clock.notBefore(0)
    expect(clock.now()).toBeGreaterThanOrEqual(WALL)
    expect(clock.now()).toBeLessThan(WALL + SECOND)
  })
})

describe('times as text', () => {
  test('are whole seconds of UTC, cut and not rounded', () => {
    expect(isoSeconds(WALL)).toBe('2026-01-15T10:30:00Z')
    expect(isoSeconds(WALL + 999)).toBe('2026-01-15T10:30:00Z')
    expect(isoSeconds(WALL + 1_000)).toBe('2026-01-15T10:30:01Z')
  })

  test('a day is that of UTC, from its first millisecond to its last', () => {
    const midnight = Date.UTC(2026, 11, 31)
    expect(dayOf(midnight)).toBe(20261231)
    expect(dayOf(midnight - 1)).toBe(20261230)
    expect(dayOf(midnight + DAY - 1)).toBe(20261231)
    expect(dayOf(midnight + DAY)).toBe(20270101)
  })

  test('units are what they say', () => {
    expect([SECOND, MINUTE, HOUR, DAY]).toEqual([1_000, 60_000, 3_600_000, 86_400_000])
  })
})

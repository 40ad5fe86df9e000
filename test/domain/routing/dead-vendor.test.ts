import { describe, expect, test } from 'bun:test'
import { HOUR, MINUTE, SECOND } from '@/base/clock'
import { type Behaviour, type Call, type End, seeded, world } from './simulation'

const well = (): Behaviour => ({ endsAfterMs: 300, end: 'succeeded' })

/** Calls to the first route of which the greatest number lies in any minute. */
function mostInAMinute(calls: Call[]): number {
  return Math.max(
    0,
    ...calls.map(
      (first, index) => calls.slice(index).filter(({ at }) => at < first.at + MINUTE).length,
    ),
  )
}

describe('a vendor that fails every call under 50 jobs a second', () => {
  const EVERY_MS = 20
  const DEAD_MS = 10 * MINUTE

  // Before its rest there are the five that fail in a row, and those that begin until the fifth has failed.
  test.each([
    { failsAfterMs: 0, before: 5, rate: 'and no more' },
    { failsAfterMs: 50, before: 5 + 2, rate: 'and two that were under way' },
    { failsAfterMs: 500, before: 5 + 25, rate: 'and the 25 of half a second' },
  ])(
    'after $failsAfterMs ms each: 5 calls $rate, then fewer than 5 a minute',
    ({ failsAfterMs, before }) => {
      const isDead = (now: number) => now < DEAD_MS
      const first = (now: number): Behaviour =>
        isDead(now) ? { endsAfterMs: failsAfterMs, end: 'failed' } : well()
      const { runUntil, arrive, calls, metricsOf } = world([first, well, well])
      for (let at = 0; at < 20 * MINUTE; at += EVERY_MS) arrive(at)
      runUntil(DEAD_MS)
      const dead = calls.filter(({ routeId }) => routeId === 1)
      expect(dead.filter(({ isProbe }) => !isProbe).length).toBe(before)
      const later = dead.slice(before)
      expect(later.length).toBeGreaterThan(3)
      expect(later.every(({ isProbe }) => isProbe)).toBe(true)
      expect(mostInAMinute(later)).toBeLessThan(5)
      // Everybody else was served at once, by the next.
      expect(calls.filter(({ routeId }) => routeId === 2).length).toBeGreaterThan(29_900)
      expect(calls.filter(({ routeId }) => routeId === 3)).toEqual([])

      // Healed: it serves again when its rest is over, and then everybody.
      const announced = metricsOf(1).restingUntil ?? 0
      expect(announced).toBeGreaterThan(DEAD_MS)
      expect(announced).toBeLessThan(DEAD_MS + 10 * MINUTE)
      runUntil(announced + EVERY_MS + 300)
      const [probe] = calls.filter(({ routeId, at }) => routeId === 1 && at > DEAD_MS)
      expect(probe).toMatchObject({ isProbe: true, end: 'succeeded' })
      expect(probe?.at).toBeLessThanOrEqual(announced + EVERY_MS)
      runUntil(announced + MINUTE)
      const served = calls.filter(({ routeId, at }) => routeId === 1 && at > announced + SECOND)
      expect(served.length).toBeGreaterThan(2_900)
      expect(metricsOf(1)).toMatchObject({ rests: 0, failures: 0, restingUntil: null })
    },
  )

  test('one that limits everybody for a second each time is not asked fifty times a second', () => {
    const limits = (): Behaviour => ({ endsAfterMs: 500, end: { limitedForMs: SECOND } })
    const { runUntil, arrive, calls } = world([limits, well, well])
    for (let at = 0; at < 5 * MINUTE; at += EVERY_MS) arrive(at)
    runUntil(5 * MINUTE)
    const asked = calls.filter(({ routeId }) => routeId === 1)
    // Five times a limit, each heard by all who were under way; then it rests.
    expect(asked.filter(({ isProbe }) => !isProbe).length).toBeLessThanOrEqual(5 * 26)
    expect(mostInAMinute(asked.filter(({ isProbe }) => isProbe))).toBeLessThan(5)
  })

  test('a limit with a date keeps everybody away until then, and nobody a moment longer', () => {
    const limits = (now: number): Behaviour =>
      now < SECOND ? { endsAfterMs: 500, end: { limitedForMs: 40 * SECOND } } : well()
    const { runUntil, arrive, calls } = world([limits, well, well])
    for (let at = 0; at < 2 * MINUTE; at += EVERY_MS) arrive(at)
    runUntil(2 * MINUTE)
    const asked = calls.filter(({ routeId }) => routeId === 1).map(({ at }) => at)
    const [last = 0, next = 0] = [asked.findLast(at => at < SECOND), asked.find(at => at > SECOND)]
    expect(next).toBe(last + 500 + 40 * SECOND)
    // No probe: the next one comes right behind.
    expect(asked.filter(at => at > SECOND && at <= next + SECOND).length).toBe(51)
  })
})

describe('any vendors, any order of things', () => {
  const KINDS: ((random: () => number) => Behaviour)[] = [
    well,
    () => ({ endsAfterMs: 0, end: 'failed' }),
    random => ({ endsAfterMs: Math.floor(random() * 5_000), end: 'failed' }),
    random => ({ endsAfterMs: 80, end: random() < 0.5 ? 'succeeded' : 'failed' }),
    () => ({ endsAfterMs: 100, end: 'answered' }),
    () => ({ endsAfterMs: 100, end: { limitedForMs: null } }),
    random => ({ endsAfterMs: 200, end: { limitedForMs: Math.floor(random() * MINUTE) } }),
    // Films: taken on at once, and good or bad after minutes.
    random => ({
      acceptedAfterMs: 300,
      endsAfterMs: MINUTE + Math.floor(random() * MINUTE),
      end: random() < 0.3 ? 'succeeded' : 'failed',
    }),
    // Says nothing until we hang up.
    () => ({ endsAfterMs: 90 * SECOND, end: 'failed' }),
  ]
  const STORM_MS = 8 * MINUTE
  const PHASE_MS = 40 * SECOND
  const LONGEST_MS = 3 * MINUTE

  test.each(Array.from({ length: 20 }, (_, seed) => seed + 1))(
    'seed %i: never a resting one, one probe at a time, and the healed serve again',
    seed => {
      const random = seeded(seed)
      const pick = () => KINDS[Math.floor(random() * KINDS.length)] ?? well
      const phases = [0, 1, 2].map(() => Array.from({ length: 12 }, pick))
      const behaviours = phases.map(kinds => (now: number) => {
        if (now >= STORM_MS) return well()
        return (kinds[Math.floor(now / PHASE_MS)] ?? well)(random)
      })
      const { runUntil, arrive, cancelOne, plan, calls, metricsOf, now } = world(behaviours)
      for (let at = 0; at < STORM_MS; at += random() * 500) arrive(at)
      for (let at = 0; at < STORM_MS; at += random() * 4 * SECOND) {
        plan(at, () => cancelOne(1 + Math.floor(random() * 3), Math.floor(random() * 99)))
      }
      // What had begun has ended by then, and one job a second still comes.
      for (let at = STORM_MS; at < STORM_MS + LONGEST_MS + 12 * MINUTE; at += SECOND) arrive(at)
      runUntil(STORM_MS)
      const isQuiet = () => calls.every(call => call.at >= STORM_MS || call.endsAt <= now())
      while (!isQuiet()) runUntil(now() + SECOND)
      const settled = [1, 2, 3].map(metricsOf)
      for (const { restingUntil } of settled) {
        // No limit of this storm is longer than a minute: the longest rest is all there can be.
        expect(restingUntil ?? 0).toBeLessThanOrEqual(now() + 10 * MINUTE)
      }
      const restingUntil = Math.max(now(), settled[0]?.restingUntil ?? 0)
      runUntil(restingUntil + 2 * SECOND)
      const served = calls.filter(({ routeId, at }) => routeId === 1 && at > restingUntil - SECOND)
      expect(served.length).toBeGreaterThan(0)
      runUntil(restingUntil + 10 * SECOND)
      // It is the preferred one, so that everybody comes back to it.
      expect(calls.at(-1)?.routeId).toBe(1)
      expect(metricsOf(1)).toMatchObject({ restingUntil: null, rests: 0 })
    },
  )

  test('a storm holds what it is to show: rests, probes, limits and many under way', () => {
    const ends = new Set<string>()
    let probes = 0
    let most = 0
    const random = seeded(7)
    const behaviours = [0, 1, 2].map(
      () => () => (KINDS[Math.floor(random() * KINDS.length)] ?? well)(random),
    )
    const { runUntil, arrive, calls } = world(behaviours)
    for (let at = 0; at < HOUR / 4; at += 250) arrive(at)
    runUntil(HOUR / 4)
    for (const call of calls) {
      ends.add(nameOf(call.end))
      if (call.isProbe) probes++
      most = Math.max(most, calls.filter(c => c.at <= call.at && c.endsAt > call.at).length)
    }
    expect([...ends].sort()).toEqual(['answered', 'failed', 'limited', 'succeeded'])
    expect(probes).toBeGreaterThan(5)
    expect(most).toBeGreaterThan(20)
  })

  const nameOf = (end: End) => (typeof end === 'string' ? end : 'limited')
})

import { describe, expect, test } from 'bun:test'
import { STEPS } from '@test/support/crash-points'
import { cell, crashAtEveryStep, killTable, SCENARIOS } from './crash-steps'

const TIMEOUT_MS = 120_000

/**
 * From source only: to die at a named step a process must wrap its own transactions, and to meet a vendor
 * whose starts must not be repeated it must bring one, which a finished program does not let in. The
 * executable is killed at random moments, in crash-random.test.ts.
 */
describe('kill -9 at every step of every kind of job', () => {
  const kills = new Map<string, number>()

  // Two chains at a time: one of them waits for a process to start most of the time.
  const pairs = [SCENARIOS.slice(0, 2), SCENARIOS.slice(2)]
  test.each(pairs.map(pair => [pair.map(({ name }) => name).join(' and '), pair] as const))(
    '%s: nothing acknowledged is lost, nothing is paid or started twice, everybody is told',
    async (_, pair) => {
      const reports = await Promise.all(pair.map(scenario => crashAtEveryStep(scenario, {})))
      for (const report of reports) {
        for (const [place, count] of report.kills) kills.set(place, count)
        expect(report.problems).toEqual([])
      }
    },
    TIMEOUT_MS,
  )

  test('no step was left out', () => {
    console.log(killTable(kills))
    const places = SCENARIOS.flatMap(scenario => STEPS.map(step => cell(scenario, step)))
    expect(places.filter(place => !kills.get(place))).toEqual([])
    expect(kills.size).toBe(STEPS.length * SCENARIOS.length)
  })
})

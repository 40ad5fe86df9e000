import { expect, test } from 'bun:test'
import { crashAtRandom, deathTable } from './crash-random'

const TIMEOUT_MS = 120_000
const ROUNDS = 4
const SEED = 20_260_115

test(
  'kill -9 at random moments under load: every order is one job with one end, paid once and told',
  async () => {
    const report = await crashAtRandom({ rounds: ROUNDS, clients: 4, seed: SEED })
    console.log(deathTable(report))
    expect(report.problems).toEqual([])
    expect(report.deaths).toHaveLength(ROUNDS)
    // Each death must have met work, or it proved nothing.
    expect(report.deaths.filter(({ met }) => Object.keys(met).length === 0)).toEqual([])
    expect(report.jobs.succeeded).toBeGreaterThan(0)
  },
  TIMEOUT_MS,
)

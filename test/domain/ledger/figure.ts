import type { Figure } from '@test/long/figures'
import { simulate } from './simulation'

const SEEDS = 200
const STEPS = 10_000
/** Apart from those of the short form. */
const FIRST_SEED = 1_001

/** The simulation of the ledger at its full size. */
export const LEDGER_SIMULATION: Figure = {
  name: `ledger: ${SEEDS} seeds of ${STEPS} steps beside the model`,
  async measure(details) {
    const told = new Map<string, number>()
    const broken: string[] = []
    let crashes = 0
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const report = await simulate({ seed, steps: STEPS }).catch(error => error as Error)
      if (report instanceof Error) {
        broken.push(`${report.message}: ${report.cause}`)
        continue
      }
      crashes += report.crashes
      for (const [name, count] of report.told) told.set(name, (told.get(name) ?? 0) + count)
    }
    details(JSON.stringify(Object.fromEntries(told)))
    for (const each of broken) details(each)
    return {
      value: `${SEEDS - broken.length} of ${SEEDS} seeds without a break, ${crashes} deaths in the middle`,
      isGood: broken.length === 0,
    }
  },
}

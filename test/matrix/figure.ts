import type { Figure } from '@test/long/figures'
import { BENCHES, SLOW_BENCHES } from './benches'
import { matrixTable, runMatrix } from './matrix'
import type { Outcome } from './rig'

const SEEDS = [2, 3, 4]

/** The whole matrix by other seeds, and once against those whose answers take longest. */
export const FAULT_MATRIX: Figure = {
  name: `faults: each at each vendor, by ${SEEDS.length} seeds, and at the vendors that are asked rarely`,
  async measure(details) {
    const rounds: Outcome[][] = []
    for (const seed of SEEDS) rounds.push(await runMatrix(BENCHES, seed))
    rounds.push(await runMatrix(SLOW_BENCHES, 1))
    for (const round of rounds) details(`\n${matrixTable(round)}`)
    const cells = rounds.flat()
    const bad = cells.filter(({ problems }) => problems.length > 0)
    for (const { column, label, problems } of bad) {
      details(`${column}, ${label}: ${problems.join('; ')}`)
    }
    const late = Math.max(...cells.map(({ seen, expected }) => seen.ms - expected.toMs))
    return {
      value: `${cells.length - bad.length} of ${cells.length} jobs ended right, the latest ${Math.round(-late)} ms before its limit`,
      isGood: cells.length > 0 && bad.length === 0,
    }
  },
}

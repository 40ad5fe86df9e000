import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { BENCHES } from './benches'
import { COLUMNS } from './columns'
import { matrixTable, runMatrix } from './matrix'
import type { Outcome } from './rig'

const SEED = 1
const LIMIT_MS = 60_000
let outcomes: Outcome[] = []

beforeAll(async () => {
  outcomes = await runMatrix(BENCHES, SEED)
}, LIMIT_MS)

afterAll(() => console.log(`\n${matrixTable(outcomes)}\n`))

const cells = COLUMNS.flatMap(column =>
  BENCHES.filter(bench => column.cell(bench, () => 0) !== null).map(
    ({ label }) => [column.name, label] as const,
  ),
)

describe('each fault at each vendor: the job ends right, in time, and is paid for once', () => {
  test.each(cells)('%s: %s', (column, label) => {
    const outcome = outcomes.find(one => one.column === column && one.label === label)
    expect(outcome?.problems).toEqual([])
  })
})

import { expect, test } from 'bun:test'
import { VENDORS } from '@/providers/vendors'
import { killIn, killTable, problemsOf, someCells } from './matrix'
import { PLACES } from './moments'
import { OFFERS } from './offers'

const TIMEOUT_MS = 120_000
const SEED = 20_261_121

/**
 * From source only: to meet a vendor on this machine the hub must be given an adapter with its address, and
 * to die at a named step a process must wrap its own transactions. All cells are in the long run.
 */
test(
  'kill -9 at each adapter: one start at most, and the result arrives or the tokens come back',
  async () => {
    const kills = await killIn(someCells(SEED))
    console.log(killTable(kills))
    expect(problemsOf(kills)).toEqual([])
    expect(kills).toHaveLength(OFFERS.length)
    expect(new Set(kills.map(({ cell }) => cell.place)).size).toBe(PLACES.length)
    expect(Math.max(...kills.map(({ starts }) => starts))).toBe(1)
  },
  TIMEOUT_MS,
)

test('every adapter of the program has its row', () => {
  const sold = new Set(OFFERS.map(({ provider }) => provider))
  expect([...sold].sort()).toEqual(VENDORS.map(({ name }): string => name).sort())
})

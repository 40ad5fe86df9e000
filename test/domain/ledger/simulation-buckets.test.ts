import { describe, expect, test } from 'bun:test'
import { FAULTS } from './planted'
import { simulate } from './simulation'

const SEEDS = 20
const STEPS = 2_000
/** A fault may need a rare turn of events. */
const SEEDS_FOR_A_FAULT = 5
const TIMEOUT_MS = 60_000

describe(`${STEPS} steps of everything that the ledger can do, over years, with deaths`, () => {
  const told = new Map<string, number>()
  let crashes = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    test(
      `seed ${seed}: every answer, bucket, entry and expiry is what the model says`,
      async () => {
        const report = await simulate({ seed, steps: STEPS })
        crashes += report.crashes
        for (const [name, count] of report.told) told.set(name, (told.get(name) ?? 0) + count)
      },
      TIMEOUT_MS,
    )
  }
  test('and every kind of answer was among them, often', () => {
    const often = ['done', 'insufficient_tokens', 'superseded', 'conflict', 'n taken, n owed']
    for (const name of [...often, 'unique', 'invariant']) {
      expect({ name, isOften: (told.get(name) ?? 0) > 100 }).toEqual({ name, isOften: true })
    }
    expect(crashes).toBeGreaterThan(2_000)
  })
})

describe('the simulator finds', () => {
  for (const fault of FAULTS) {
    test(
      `${fault.name} (${fault.breaks})`,
      async () => {
        const found = await firstFinding(fault)
        expect(found).toMatch(fault.shows)
      },
      TIMEOUT_MS,
    )
  }
})

async function firstFinding({ plant }: (typeof FAULTS)[number]): Promise<string> {
  for (let seed = 1; seed <= SEEDS_FOR_A_FAULT; seed++) {
    const found = await simulate({ seed, steps: STEPS, plant }).catch(error => error)
    if (found instanceof Error) return `${found.message}: ${found.cause}`
  }
  return 'nothing was found'
}

import { portions } from './several'
import type { ProviderInput } from './spec'

/**
 * The inputs of the calls that together make what was asked for, where one call makes at most `most`. Each
 * has a seed of its own: several calls with one seed would make one picture several times.
 */
export function splitCalls(input: ProviderInput, most: number): ProviderInput[] {
  return portions(input.numOutputs, most).map((numOutputs, index) => ({
    ...input,
    numOutputs,
    extra: seeded(input.extra, index),
    params: seeded(input.params, index),
  }))
}

/** Vendors draw from as many. */
const SEEDS = 2 ** 32

/** A negative seed means a random one, and the first call has the seed as it was given. */
function seeded(fields: ProviderInput['extra'], index: number): ProviderInput['extra'] {
  const { seed } = fields
  if (index === 0 || typeof seed !== 'number' || seed < 0) return fields
  return { ...fields, seed: (seed + index) % SEEDS }
}

import { type ProviderError, type ProviderErrorKind, toProviderError } from '../errors'
import type { Done, ProviderUsage } from '../spec'

/**
 * Makes `count` outputs by calls of at most `perCall`, all at once. What some of them made is kept: fewer
 * outputs than asked are a success with a refund for the rest. Throws only when none made any.
 */
export async function several(
  count: number,
  perCall: number,
  make: (count: number) => Promise<Done>,
): Promise<Done> {
  const settled = await Promise.allSettled(portions(count, perCall).map(make))
  const made = settled.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
  const failed = settled.flatMap(one => (one.status === 'rejected' ? [one.reason] : []))
  if (made.length === 0) throw mostTelling(failed.map(toProviderError))
  return {
    state: 'done',
    outputs: made.flatMap(done => done.outputs).slice(0, count),
    usage: total(made.flatMap(done => (done.usage ? [done.usage] : []))),
  }
}

function portions(count: number, perCall: number): number[] {
  const calls = Math.ceil(count / perCall)
  return Array.from({ length: calls }, (_, index) => Math.min(perCall, count - index * perCall))
}

/**
 * Of different failures the one after which least happens: a final no ends the job, an unknown outcome is
 * never started again, and the other two mean that surely none of the calls began.
 */
const BY_WEIGHT: readonly ProviderErrorKind[] = [
  'rejected',
  'unknown_outcome',
  'rate_limited',
  'unavailable',
]

function mostTelling(errors: ProviderError[]): ProviderError {
  const [first] = errors.toSorted((a, b) => BY_WEIGHT.indexOf(a.kind) - BY_WEIGHT.indexOf(b.kind))
  return first ?? toProviderError(new Error('no outputs were asked for'))
}

const MEASURES = ['inputTokens', 'outputTokens', 'seconds', 'costMicroUsd'] as const

/** A measure that no call told stays untold. */
function total(usages: ProviderUsage[]): ProviderUsage {
  const sum: ProviderUsage = {}
  for (const measure of MEASURES) {
    const told = usages.flatMap(usage => usage[measure] ?? [])
    if (told.length > 0) sum[measure] = told.reduce((a, b) => a + b, 0)
  }
  return sum
}

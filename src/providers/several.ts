import { charged } from './charged'
import { ProviderError, type ProviderErrorKind, toProviderError } from './errors'
import type { Done, ProviderUsage } from './spec'

/** What came of several calls: what they made, which is never nothing, and how the others failed. */
export type Several<Made> = { made: Made[]; failed: ProviderError[] }

/**
 * One call for each of `asked`, side by side. What was made is kept: fewer outputs than asked are a success
 * with a refund for the rest. Throws only when nothing was made, and then the error that forbids most.
 *
 * `isRepeatable` says that nothing begins by these calls, as by looking at what lies ready. Then a call that
 * failed for now is no reason to give up what it would have brought: it is thrown, and all are asked again.
 */
export async function several<Asked, Made>(
  asked: readonly Asked[],
  make: (asked: Asked) => Promise<Made>,
  { isRepeatable = false } = {},
): Promise<Several<Made>> {
  const ends = await Promise.all(asked.map(one => make(one).catch(toProviderError)))
  const forNow = failuresIn(ends).filter(({ kind }) => FOR_NOW.has(kind))
  if (isRepeatable && forNow.length > 0) throw worst(forNow)
  return kept(ends)
}

const FOR_NOW: ReadonlySet<ProviderErrorKind> = new Set(['rate_limited', 'unknown_outcome'])

/** The same of calls that are over, whose failures are values. */
export function kept<Made>(ends: readonly (Made | ProviderError)[]): Several<Made> {
  const made = ends.flatMap(end => (end instanceof ProviderError ? [] : [end]))
  const failed = failuresIn(ends)
  if (made.length === 0) throw worst(failed)
  return { made, failed }
}

function failuresIn(ends: readonly unknown[]): ProviderError[] {
  return ends.filter(end => end instanceof ProviderError)
}

/** One answer of several: what all of them used, and what those cost that came to nothing. */
export function joined({ made, failed }: Several<Done>, most = Number.POSITIVE_INFINITY): Done {
  const usages = made.flatMap(({ usage }) => usage ?? [])
  const lost = failed.flatMap(({ costMicroUsd }) => (costMicroUsd === null ? [] : { costMicroUsd }))
  return {
    state: 'done',
    outputs: made.flatMap(({ outputs }) => outputs).slice(0, most),
    usage: total([...usages, ...lost]),
  }
}

/** 5 in portions of at most 2 are 2, 2 and 1. */
export function portions(count: number, most: number): number[] {
  const calls = Math.ceil(count / most)
  return Array.from({ length: calls }, (_, index) => Math.min(most, count - index * most))
}

/**
 * A final no of one is a final no of all, for they are the same question. Where one call may have begun, none
 * may be repeated. Waiting is only right where all were told to wait, and then as long as the last of them.
 * Its cost is that of all.
 */
function worst(errors: readonly ProviderError[]): ProviderError {
  const [first] = errors.toSorted(
    (a, b) =>
      ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) ||
      Number(b.isPermanent) - Number(a.isPermanent) ||
      (b.retryAfterMs ?? 0) - (a.retryAfterMs ?? 0),
  )
  if (!first) return toProviderError(new Error('nothing was asked for'))
  const costs = errors.flatMap(({ costMicroUsd }) => costMicroUsd ?? [])
  return costs.length === 0 ? first : charged(first, sum(costs))
}

const ORDER: readonly ProviderErrorKind[] = [
  'rejected',
  'unknown_outcome',
  'unavailable',
  'rate_limited',
]

const MEASURES = ['inputTokens', 'outputTokens', 'seconds', 'costMicroUsd'] as const

/** A measure that no call told stays untold. */
function total(usages: readonly ProviderUsage[]): ProviderUsage {
  const measured = MEASURES.map(measure => [
    measure,
    usages.flatMap(usage => usage[measure] ?? []),
  ]) as [string, number[]][]
  return Object.fromEntries(
    measured.filter(([, told]) => told.length > 0).map(([measure, told]) => [measure, sum(told)]),
  )
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}

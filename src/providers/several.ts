import { type ProviderError, type ProviderErrorKind, toProviderError } from './errors'

/**
 * Calls that make one thing each, side by side. What was made is kept, and only a total failure throws:
 * the error that forbids most.
 */
export async function several<T>(calls: Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(calls)
  const made = settled.flatMap(call => (call.status === 'fulfilled' ? [call.value] : []))
  if (made.length > 0) return made
  throw worst(settled.flatMap(call => (call.status === 'rejected' ? [call.reason] : [])))
}

/**
 * A final no of one is a final no of all, for they are the same question. Where one call may have begun, none
 * may be repeated. Waiting is only right where all were told to wait.
 */
export function worst(errors: unknown[]): ProviderError {
  const ours = errors.map(toProviderError)
  const [first] = ours.sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind))
  return first ?? toProviderError(new Error('nothing was asked for'))
}

const ORDER: ProviderErrorKind[] = ['rejected', 'unknown_outcome', 'unavailable', 'rate_limited']

import { SECOND } from '@/base/clock'
import type { ProviderContext } from './spec'

/** How long so many bytes may take on their way out, in milliseconds. */
export function transferMs(sizeBytes: number): number {
  return Math.ceil((sizeBytes / SLOWEST_BYTES_A_SECOND) * SECOND)
}

/** How long an upload may take together with its answer, in milliseconds: not longer than the attempt. */
export function uploadTimeoutMs(
  sizeBytes: number,
  { nowMs, deadlineMs }: Pick<ProviderContext, 'nowMs' | 'deadlineMs'>,
): number {
  return Math.max(Math.min(ANSWER_MS + transferMs(sizeBytes), deadlineMs - nowMs), LEAST_MS)
}

/** 1 Mbit/s: what goes out slower than that is a line that is broken, and there are other vendors. */
const SLOWEST_BYTES_A_SECOND = 128 * 1024
/** As long as any other call has, for connecting and for a store to think. */
const ANSWER_MS = 30 * SECOND
/** A refusal comes within a second. */
const LEAST_MS = SECOND

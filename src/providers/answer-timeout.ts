import { MINUTE, SECOND } from '@/base/clock'
import type { ProviderContext } from './spec'

/**
 * How long to hold the line, in milliseconds, to a vendor that answers with what it made: not longer than
 * the attempt may take.
 */
export function answerTimeoutMs({
  nowMs,
  deadlineMs,
}: Pick<ProviderContext, 'nowMs' | 'deadlineMs'>): number {
  return Math.max(Math.min(USUAL_MS, deadlineMs - nowMs), LEAST_MS)
}

/**
 * A picture usually takes 10 to 120 s, and a large one of the best quality longer. After five minutes an
 * answer is hardly still coming.
 */
const USUAL_MS = 5 * MINUTE
/** A refusal comes within a second, and then it is known that nothing began. */
const LEAST_MS = SECOND

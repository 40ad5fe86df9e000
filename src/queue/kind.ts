import type { Tx } from '@/db/write'
import type { Claim, Outcome, Pool, Task } from './task'

/** How tasks of one kind are run. */
export type Kind = {
  pool: Pool
  /** A handler that takes longer is told to stop, and a little later loses its claim. */
  timeoutMs: number
  /** How often it may throw before it is given up. */
  maxFailures: number
  /** Runs in the claim's own transaction: the intent is on disk before anything happens outside. */
  prepare?(tx: Tx, claim: Claim): unknown
  handle(claim: Claim, prepared: unknown, signal: AbortSignal): Promise<Outcome>
  /** It failed too often, or killed the process while alone: undo what it stood for. */
  giveUp?(tx: Tx, task: Task, reason: 'failures' | 'poison'): void
}

import type { TaskId } from '@/base/ids'

/** Where tasks wait for a slot; each has its own bound, so a slow kind never starves another. */
export type Pool = 'jobs' | 'polls' | 'deliveries' | 'chores' | 'quarantine'

/** An order to do something, as the handler of its kind sees it. `payload` is JSON, parsed by the kind's schema. */
export type Task = {
  id: TaskId
  kind: string
  pool: Pool
  lane: number
  priority: number
  payload: string
  /** How often a handler threw. Drives backoff. */
  failures: number
  /** How often the process died with it claimed. */
  deaths: number
}

/** The right to finish a task. Whoever holds an older token has lost it. */
export type Claim = {
  task: Task
  token: number
  /** Where the task waits when it is not in quarantine. */
  homePool: Pool
}

/**
 * What a handler says at the end.
 * - `done`: forget the task.
 * - `handled`: the handler already finished, snoozed or retried it inside its own write.
 * - `snooze`: come back at `runAt`; counts as nothing.
 * - `retry`: it failed; again after a backoff, or at `runAt`.
 */
export type Outcome =
  | { outcome: 'done' }
  | { outcome: 'handled' }
  | { outcome: 'snooze'; runAt: number | null; pool?: Pool }
  | { outcome: 'retry'; error: unknown; runAt?: number }

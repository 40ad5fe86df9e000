import { Superseded } from '@/base/errors'
import type { Db } from '@/db/open'
import { query, returning } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Claim, Pool, Task } from './task'

const claimOne = returning<{ id: number; token: number; bootId: number }, Task>(
  `UPDATE tasks SET state = 'claimed', claim_token = $token, boot_id = $bootId
   WHERE id = $id AND state = 'ready'
   RETURNING id, kind, pool, lane, priority, payload, failures, deaths`,
)

const due = returning<{ now: number; limit: number }, ReadyTask>(
  `UPDATE tasks SET state = 'ready', run_at = NULL
   WHERE id IN (
     SELECT id FROM tasks WHERE state = 'scheduled' AND run_at <= $now ORDER BY run_at LIMIT $limit
   )
   RETURNING id, pool, lane, priority`,
)

const soonest = query<Record<string, never>, { run_at: number }>(
  `SELECT run_at FROM tasks WHERE state = 'scheduled' AND run_at IS NOT NULL ORDER BY run_at LIMIT 1`,
)

const ready = query<Record<string, never>, ReadyTask>(
  `SELECT id, pool, lane, priority FROM tasks WHERE state = 'ready' ORDER BY pool, lane, priority, id`,
  { mayScan: 'the partial index holds only what is ready, and all of it is what is asked for' },
)

export type ReadyTask = { id: number; pool: Pool; lane: number; priority: number }

/** Takes the task, or throws Superseded when it is no longer there to be taken. */
export function claim(tx: Tx, taskId: number, bootId: number): Omit<Claim, 'homePool'> {
  const token = tx.id()
  const task = claimOne.get(tx, { id: taskId, token, bootId })
  if (!task) throw new Superseded('task is gone')
  return { task, token }
}

/** Makes at most `limit` rows ready whose time has come. */
export function makeDue(tx: Tx, limit: number): ReadyTask[] {
  return due.all(tx, { now: tx.now, limit })
}

export function nextRunAt(db: Db): number | null {
  return soonest.get(db, {})?.run_at ?? null
}

/** All that could be claimed now, in order. Read at the start and after another process wrote. */
export function readyTasks(db: Db): ReadyTask[] {
  return ready.all(db, {})
}

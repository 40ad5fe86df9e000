import type { TaskId } from '@/base/ids'
import { command, returning } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Pool } from './task'

export type NewTask = {
  kind: string
  pool: Pool
  payload: unknown
  /** Whose turn it is: lanes of a pool take turns. */
  lane?: number
  /** 1 is first. */
  priority?: number
  /** Absent: now. Null: only when somebody wakes it. */
  runAt?: number | null
  /** The row this task is about may lend its id, so that it can be found without an index. */
  id?: number
  /** At most one task of this name exists; a second order is the first one. */
  uniqueKey?: string
}

const insert = command<{
  id: number
  kind: string
  pool: string
  lane: number
  priority: number
  payload: string
  state: string
  runAt: number | null
  uniqueKey: string | null
  now: number
}>(
  `INSERT INTO tasks (id, kind, pool, lane, priority, payload, state, run_at, unique_key, created_at)
   VALUES ($id, $kind, $pool, $lane, $priority, $payload, $state, $runAt, $uniqueKey, $now)
   ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING`,
)

const makeReady = returning<
  { id: number },
  { id: number; pool: Pool; lane: number; priority: number }
>(
  `UPDATE tasks SET state = 'ready', run_at = NULL WHERE id = $id AND state = 'scheduled'
   RETURNING id, pool, lane, priority`,
)

const remove = returning<
  { id: number },
  { id: number; pool: Pool; lane: number; priority: number }
>('DELETE FROM tasks WHERE id = $id RETURNING id, pool, lane, priority')

const DEFAULT_PRIORITY = 10

/** Orders something in the caller's transaction: it is done if and only if that commits. */
export function enqueue(tx: Tx, task: NewTask): void {
  const runAt = task.runAt === undefined ? tx.now : task.runAt
  const isDue = runAt !== null && runAt <= tx.now
  const row = {
    id: task.id ?? tx.id<TaskId>(),
    pool: task.pool,
    lane: task.lane ?? 0,
    priority: task.priority ?? DEFAULT_PRIORITY,
  }
  const inserted = insert.run(tx, {
    ...row,
    kind: task.kind,
    payload: JSON.stringify(task.payload),
    state: isDue ? 'ready' : 'scheduled',
    runAt: isDue ? null : runAt,
    uniqueKey: task.uniqueKey ?? null,
    now: tx.now,
  })
  if (inserted === 0) return
  if (isDue) tx.after(() => tx.db.bus.publish('task.ready', row))
  else if (runAt !== null) tx.after(() => tx.db.bus.publish('task.scheduled', { runAt }))
}

/**
 * Makes a sleeping task due now, and answers whether it slept. Nothing happens when it is running or gone:
 * then it will look by itself.
 */
export function wake(tx: Tx, id: number): boolean {
  const row = makeReady.get(tx, { id })
  if (row) tx.after(() => tx.db.bus.publish('task.ready', row))
  return row !== null
}

/** Forgets a task whatever its state. A handler that runs it loses its claim and its writes are undone. */
export function forget(tx: Tx, id: number): void {
  const row = remove.get(tx, { id })
  if (row) tx.after(() => tx.db.bus.publish('task.gone', row))
}

import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Task } from './task'

const orphans = query<{ bootId: number }, Task>(
  `SELECT id, kind, pool, lane, priority, payload, failures, deaths FROM tasks
   WHERE state = 'claimed' AND boot_id <> $bootId LIMIT 1000`,
  { mayScan: 'the partial index holds only what is claimed, at most the sum of all pools' },
)

const resume = command<{ id: number; pool: string }>(
  `UPDATE tasks SET state = 'ready', run_at = NULL, claim_token = NULL, boot_id = NULL,
     deaths = deaths + 1, pool = $pool
   WHERE id = $id AND state = 'claimed'`,
)

const sleep = command<{ id: number }>(
  `UPDATE tasks SET state = 'scheduled', run_at = NULL, claim_token = NULL, boot_id = NULL WHERE id = $id`,
)

const remove = command<{ id: number }>('DELETE FROM tasks WHERE id = $id')

/** Twice may be bad company. From then on a task runs alone, and only one that was alone is blamed. */
const DEATHS_TO_QUARANTINE = 2

/**
 * What an earlier life of the process left claimed is an orphan: there is one process, and it is us.
 * Answers what was parked: the one task that ran alone in quarantine when the process died again. It is
 * removed, or with `isParkedAsleep` kept without a date.
 */
export function rescue(
  tx: Tx,
  bootId: number,
  options: { isParkedAsleep?: boolean } = {},
): { resumed: number; parked: Task | null } {
  const left = orphans.all(tx, { bootId })
  const [only] = left
  if (only && left.length === 1 && only.pool === 'quarantine') {
    const park = options.isParkedAsleep ? sleep : remove
    park.run(tx, { id: only.id })
    return { resumed: 0, parked: only }
  }
  for (const task of left) {
    const pool = task.deaths + 1 >= DEATHS_TO_QUARANTINE ? 'quarantine' : task.pool
    resume.run(tx, { id: task.id, pool })
  }
  return { resumed: left.length, parked: null }
}

import { mustChangeOne } from '@/base/errors'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Claim, Pool } from './task'

const remove = command<{ id: number; token: number }>(
  'DELETE FROM tasks WHERE id = $id AND claim_token = $token',
)

const reschedule = command<{
  id: number
  token: number
  pool: string
  runAt: number | null
  failures: number
}>(
  `UPDATE tasks SET state = 'scheduled', run_at = $runAt, pool = $pool, failures = $failures, deaths = 0,
     claim_token = NULL, boot_id = NULL
   WHERE id = $id AND claim_token = $token`,
)

const makeReady = command<{ id: number; token: number }>(
  `UPDATE tasks SET state = 'ready', run_at = NULL, claim_token = NULL, boot_id = NULL
   WHERE id = $id AND claim_token = $token`,
)

/** The task is done. Throws Superseded, undoing the whole write, when the claim was lost meanwhile. */
export function finish(tx: Tx, claim: Claim): void {
  mustChangeOne(remove.run(tx, { id: claim.task.id, token: claim.token }), 'task claim lost')
}

/** Come back at `runAt`, or when woken (null). Waiting is not a failure, and it survived: deaths are forgiven. */
export function snooze(tx: Tx, claim: Claim, runAt: number | null, pool?: Pool): void {
  later(tx, claim, runAt, pool ?? claim.homePool, claim.task.failures)
}

/** It failed: again at `runAt`, one failure more. */
export function retry(tx: Tx, claim: Claim, runAt: number): void {
  later(tx, claim, runAt, claim.homePool, claim.task.failures + 1)
}

/** Gives a claim back uncounted, for a process that is stopping. */
export function release(tx: Tx, claim: Claim): void {
  makeReady.run(tx, { id: claim.task.id, token: claim.token })
}

function later(tx: Tx, claim: Claim, runAt: number | null, pool: Pool, failures: number) {
  const changed = reschedule.run(tx, {
    id: claim.task.id,
    token: claim.token,
    pool,
    runAt,
    failures,
  })
  mustChangeOne(changed, 'task claim lost')
  if (runAt !== null) tx.after(() => tx.db.bus.publish('task.scheduled', { runAt }))
}

import { AppError } from '@/base/errors'
import { formatId, type JobId, type UserId } from '@/base/ids'
import { query } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Actor, Deps } from '@/deps'
import { record } from '@/domain/audit'
import { type Scope as Once, once } from '@/domain/idempotency'
import { enqueue, forget } from '@/queue/enqueue'
import { end } from './end'
import { findJob, type JobView, rawJob, type Scope } from './find'

const activeOf = query<{ userId: number; limit: number }, { id: JobId }>(
  `SELECT id FROM jobs WHERE user_id = $userId AND status IN ('queued', 'running') ORDER BY id LIMIT $limit`,
)

const AT_ONCE = 50

/**
 * Ends the job, gives its tokens back and orders the vendor told. Throws 404 when the scope has no such
 * job and 409 `job_not_cancellable` when it has ended.
 */
export async function cancel(
  deps: Deps,
  actor: Actor,
  scope: Scope,
  id: JobId,
  idempotency: Once | null,
): Promise<{ job: JobView; isReplay: boolean }> {
  const isReplay = await write(deps.db, tx => {
    const job = rawJob(tx, scope, id)
    if (!job) throw new AppError('not_found')
    return once(tx, idempotency, () => {
      if (job.completedAt !== null) throw new AppError('job_not_cancellable')
      cancelActive(tx, id)
      record(tx, actor, 'job.cancel', formatId('job', id))
      return { status: 200, answer: null }
    }).isReplay
  })
  const job = findJob(deps, scope, id)
  if (!job) throw new AppError('not_found')
  return { job, isReplay }
}

/** Ends whatever a user still has running: for someone who is being erased. */
export async function cancelAllOf(deps: Deps, userId: UserId): Promise<void> {
  for (;;) {
    const jobs = activeOf.all(deps.db, { userId, limit: AT_ONCE })
    if (jobs.length === 0) return
    await write(deps.db, tx => {
      for (const { id } of jobs) cancelUnlessEnded(tx, id)
    })
  }
}

function cancelUnlessEnded(tx: Tx, id: JobId) {
  const still = activeOne.get(tx, { id })
  if (still) cancelActive(tx, id)
}

const activeOne = query<{ id: number }, { id: JobId }>(
  `SELECT id FROM jobs WHERE id = $id AND status IN ('queued', 'running')`,
)

function cancelActive(tx: Tx, id: JobId) {
  end(tx, id, { status: 'cancelled' })
  forget(tx, id)
  enqueue(tx, { kind: 'job.cancel_remote', pool: 'chores', payload: { job_id: id } })
}

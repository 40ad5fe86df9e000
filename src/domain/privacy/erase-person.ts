import type { UserId } from '@/base/ids'
import type { Deps } from '@/deps'
import * as files from '@/domain/files'
import * as generation from '@/domain/generation'
import * as jobs from '@/domain/jobs'
import * as plans from '@/domain/plans'
import * as webhooks from '@/domain/webhooks'

/**
 * Erases in every room what a person left, after `users.erase` took their name away: running jobs are
 * cancelled and refunded; the subscription ends; prompts, outputs, files and webhook bodies go. Every step can be repeated, so the
 * task that runs this may die anywhere.
 */
export async function erasePerson(deps: Deps, userId: UserId): Promise<void> {
  await plans.endForErased(deps, userId)
  await jobs.cancelAllOf(deps, userId)
  await files.eraseOf(deps, userId)
  await jobs.eachJobOf(deps, userId, (tx, jobId) => {
    generation.eraseJob(tx, jobId)
    webhooks.eraseJob(tx, jobId)
    jobs.eraseJob(tx, jobId)
  })
}

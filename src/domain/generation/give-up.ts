import type { JobId } from '@/base/ids'
import type { Tx } from '@/db/write'
import { discardLater } from '@/domain/files'
import { activeJob, end } from '@/domain/jobs'
import { attemptsOf } from './attempts'
import { conclude, spentOn, worstCost } from './conclude'

/** Our own handler failed too often, or the job killed the process: it fails and its tokens go back. */
export function giveUp(tx: Tx, jobId: JobId, reason: 'failures' | 'poison'): void {
  const job = activeJob(tx, jobId)
  const last = attemptsOf(tx, jobId).at(-1)
  if (last) {
    const costMicroUsd = last.costMicroUsd ?? worstCost(tx, last, job)
    const result = { state: 'failed', message: `given up: ${reason}`, costMicroUsd } as const
    conclude(tx, last, result, { kind: 'unheard' })
    discardLater(tx, last.firstFileId, job.numOutputs)
  }
  const errorCode = last?.state === 'produced' ? 'output_unusable' : 'internal'
  end(tx, jobId, { status: 'failed', errorCode, costMicroUsd: spentOn(tx, job) })
}

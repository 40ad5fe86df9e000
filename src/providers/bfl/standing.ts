import { SECOND } from '@/base/clock'
import { charged } from '../charged'
import { usageOf } from '../cost'
import { ProviderError } from '../errors'
import { fileOf } from '../file-of'
import type { Done } from '../spec'
import { errorOfTask } from './failure'
import type { BflOperation, BflTask } from './operation'
import { microUsdOf, type TaskResult } from './result'

export type Standing = 'running' | Done

/**
 * How a task stands. Throws ProviderError when it has ended without a picture. A word that is not known means
 * that it goes on.
 */
export function standingOf(
  result: TaskResult,
  task: BflTask,
  operation: BflOperation,
  nowMs: number,
): Standing {
  const told = microUsdOf(result.cost)
  // In the order of what is nearest to the bill: told at the end, told at the start, the route's rates.
  const price = told ?? task.micro_usd ?? usageOf(operation, 1).costMicroUsd ?? null
  switch (result.status) {
    case 'Ready':
      return readyOf(result, price)
    // Neither is charged, the vendor says.
    case 'Request Moderated':
    case 'Content Moderated':
      throw charged(errorOfTask(result), told)
    // Whether these are charged is not said.
    case 'Error':
    case 'Failed':
      throw charged(errorOfTask(result), price)
    case 'Task not found':
      if (nowMs - operation.started_at_ms < UNFOUND_MS) return 'running'
      throw charged(new ProviderError('unavailable', 'the vendor knows the task no longer'), price)
    default:
      return 'running'
  }
}

/**
 * Not found are tasks that never were or that have expired; whether also one that has just begun is not
 * documented, and one that was given up too soon would be paid for twice.
 */
const UNFOUND_MS = 30 * SECOND

/** Its address is good for ten minutes. */
function readyOf({ result }: TaskResult, price: number | null): Done {
  const outputs = fileOf(result?.sample ?? '')
  if (outputs.length === 0) {
    throw charged(new ProviderError('unavailable', 'Ready, but nothing is there'), price)
  }
  return { state: 'done', outputs, ...(price === null ? {} : { usage: { costMicroUsd: price } }) }
}

import { ProviderError } from '../errors'
import { errorOfPollStatus } from '../http'
import type { Output, ProviderContext } from '../spec'
import { Status } from './answers'
import { askAbout } from './ask'
import { emptyError, isStillRunning, resultError } from './errors'
import type { FalRequest } from './operation'
import { readOutputs } from './outputs'

/** How one request ended: what it made and the seconds it took there, where told, or why it made nothing. */
export type End =
  | { state: 'made'; outputs: Output[]; seconds: number | null }
  | { state: 'failed'; error: ProviderError }

/**
 * The ends of all requests once all have ended, null before. Throws ProviderError when fal could not tell of
 * one of them: then all are asked about again, which costs nothing.
 */
export async function endsOf(requests: FalRequest[], ctx: ProviderContext): Promise<End[] | null> {
  const statuses = await Promise.all(requests.map(request => statusOf(request, ctx)))
  if (statuses.includes('running')) return null
  const ends = await Promise.all(
    requests.map((request, index) => endOf(request, statuses[index] ?? 'running', ctx)),
  )
  const all = ends.filter(end => end !== null)
  return all.length === ends.length ? all : null
}

/** The words after which there is a result to ask for; every other one, also one that is new, is "running". */
const OVER = ['COMPLETED', 'FAILED', 'ERROR']

async function statusOf(
  { status_url }: FalRequest,
  ctx: ProviderContext,
): Promise<Status | ProviderError | 'running'> {
  const answer = await askAbout(ctx, { url: status_url })
  if (answer.status >= 300) return orAskAgain(errorOfPollStatus(answer))
  const status = Status.safeParse(answer.json)
  if (!status.success) throw unreadable('status')
  return OVER.includes(status.data.status) ? status.data : 'running'
}

async function endOf(
  { response_url, outputs }: FalRequest,
  status: Status | ProviderError | 'running',
  ctx: ProviderContext,
): Promise<End | null> {
  if (status === 'running') return null
  if (status instanceof ProviderError) return { state: 'failed', error: status }
  const answer = await askAbout(ctx, { url: response_url })
  if (isStillRunning(answer)) return null
  if (answer.status >= 300) {
    return { state: 'failed', error: orAskAgain(resultError(answer, status)) }
  }
  const made = readOutputs(answer.json)
  if (!made) throw unreadable('result')
  const isEmpty = made.outputs.length === 0
  if (isEmpty) return { state: 'failed', error: made.flagged > 0 ? flagged() : emptyError(status) }
  const seconds = status.metrics?.inference_time ?? null
  return { state: 'made', outputs: made.outputs.slice(0, outputs), seconds }
}

/** Only these two kinds say that it has ended. */
function orAskAgain(error: ProviderError): ProviderError {
  if (error.kind === 'rejected' || error.kind === 'unavailable') return error
  throw error
}

function unreadable(what: string): ProviderError {
  return new ProviderError('unknown_outcome', `fal answered no ${what} that we can read`)
}

/** The safety checker answers black pictures and says so beside them. */
function flagged(): ProviderError {
  return new ProviderError('rejected', 'every picture was flagged', { reason: 'content' })
}

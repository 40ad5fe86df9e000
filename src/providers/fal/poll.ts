import { type Price, usageOf } from '../cost'
import { ProviderError } from '../errors'
import { errorOfPollStatus } from '../http'
import { joined, several } from '../several'
import type { Done, ProviderContext } from '../spec'
import { Status } from './answers'
import { askAbout } from './ask'
import { emptyError, isStillRunning, resultError } from './errors'
import type { FalOperation, FalRequest } from './operation'
import { readOutputs } from './outputs'

/**
 * What all requests made once all have ended, null before. Throws ProviderError when none made anything, and
 * when fal could not tell of one of them: then all are asked about again, which costs nothing.
 */
export async function endOf(operation: FalOperation, ctx: ProviderContext): Promise<Done | null> {
  const { made: seen } = await several(
    operation.requests,
    async request => ({ request, status: await statusOf(request, ctx) }),
    { isRepeatable: true },
  )
  const over = seen.flatMap(({ request, status }) => (status ? [{ request, status }] : []))
  if (over.length < seen.length) return null
  const { made, failed } = await several(
    over,
    ({ request, status }) => resultOf(request, status, operation, ctx),
    { isRepeatable: true },
  )
  const done = made.filter(end => end !== null)
  return done.length < made.length ? null : joined({ made: done, failed })
}

/** The words after which there is a result to ask for; every other one, also one that is new, is "running". */
const OVER = ['COMPLETED', 'FAILED', 'ERROR']

/** Null while it runs. */
async function statusOf({ status_url }: FalRequest, ctx: ProviderContext): Promise<Status | null> {
  const answer = await askAbout(ctx, { url: status_url })
  if (answer.status >= 300) throw errorOfPollStatus(answer)
  const status = Status.safeParse(answer.json)
  if (!status.success) throw unreadable('status')
  return OVER.includes(status.data.status) ? status.data : null
}

/** Null while it runs after all. */
async function resultOf(
  { response_url, outputs: asked }: FalRequest,
  status: Status,
  price: Price,
  ctx: ProviderContext,
): Promise<Done | null> {
  const answer = await askAbout(ctx, { url: response_url })
  if (isStillRunning(answer)) return null
  if (answer.status >= 300) throw resultError(answer, status)
  const made = readOutputs(answer.json)
  if (!made) throw unreadable('result')
  const outputs = made.outputs.slice(0, asked)
  if (outputs.length === 0) throw made.flagged > 0 ? flagged() : emptyError(status)
  const worked = status.metrics?.inference_time ?? null
  return { state: 'done', outputs, usage: usageOf(price, outputs.length, worked) }
}

function unreadable(what: string): ProviderError {
  return new ProviderError('unknown_outcome', `fal answered no ${what} that we can read`)
}

/** The safety checker answers black pictures and says so beside them. */
function flagged(): ProviderError {
  return new ProviderError('rejected', 'every picture was flagged', { reason: 'content' })
}

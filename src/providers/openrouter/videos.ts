import { z } from 'zod'
import { SECOND } from '@/base/clock'
import { charged } from '../charged'
import { costMicroUsd } from '../cost'
import { lengthInHand } from '../data-url'
import { ProviderError } from '../errors'
import { errorOfPollStatus } from '../http'
import { joined, portions, several } from '../several'
import type { Done, Operation, Output, Pending, ProviderContext, ProviderInput } from '../spec'
import { transferMs } from '../upload-time'
import { VIDEO_ENDS, VideoAnswer } from './answers'
import { ask, askAbout, askForFile } from './ask'
import { videoFields } from './fields'
import { contentRefusal, refusalIn, refusalOf, speaksOfContent } from './refusal'
import { toldCost } from './usage'

/** A job makes one video, so several outputs are several jobs. */
const Jobs = z.object({
  jobs: z
    .array(
      z.object({
        id: z.string().min(1),
        polling_url: z.string().nullable(),
        /** Micro-USD by the route's rates, for when the vendor tells none. */
        usual_cost: z.number().nullable(),
      }),
    )
    .min(1),
  started_at_ms: z.number(),
})
type Job = z.infer<typeof Jobs>['jobs'][number]

export async function startVideos(
  input: ProviderInput,
  ctx: ProviderContext,
  baseUrl: string,
): Promise<Pending> {
  const asked = portions(input.numOutputs, 1)
  const { made: jobs } = await several(asked, () => startVideo(input, ctx, baseUrl))
  const operation = { jobs, started_at_ms: ctx.nowMs }
  return { state: 'pending', operation, pollAfterMs: SOONEST_POLL_MS }
}

/** Answers when all jobs have ended, with what was made; throws when they came to nothing. */
export async function pollVideos(
  operation: Operation,
  ctx: ProviderContext,
  baseUrl: string,
): Promise<Pending | Done> {
  const read = Jobs.safeParse(operation)
  if (!read.success) {
    throw new ProviderError('unknown_outcome', 'openrouter cannot read this operation')
  }
  const { jobs, started_at_ms } = read.data
  const states = await Promise.all(jobs.map(job => endOf(job, ctx, baseUrl)))
  const ends = states.filter(end => end !== null)
  if (ends.length < jobs.length) {
    return { state: 'pending', operation, pollAfterMs: pollAfter(ctx.nowMs - started_at_ms) }
  }
  // Only now, or a video that is ready would be fetched with every question about the others.
  const taken = await several(ends, end => takeVideo(end, ctx, baseUrl), { isRepeatable: true })
  return joined(taken, jobs.length)
}

/** The vendor wants to be asked every 10 to 30 s: soon while it may be a short one, later less often. */
const SOONEST_POLL_MS = 10 * SECOND
const LATEST_POLL_MS = 30 * SECOND
const PART_OF_THE_WAIT = 1 / 6

function pollAfter(waitedMs: number): number {
  const wanted = Math.round(waitedMs * PART_OF_THE_WAIT)
  return Math.min(Math.max(wanted, SOONEST_POLL_MS), LATEST_POLL_MS)
}

const CALL_TIMEOUT_MS = 60 * SECOND
const POLL_TIMEOUT_MS = 30 * SECOND

async function startVideo(
  input: ProviderInput,
  ctx: ProviderContext,
  baseUrl: string,
): Promise<Job> {
  // Whose signature could not be checked is not asked to call.
  const callbackUrl = ctx.webhookSecret === null ? null : ctx.callbackUrl
  const json = videoFields(input, ctx.reference, callbackUrl)
  const url = `${baseUrl}/videos`
  const timeoutMs = CALL_TIMEOUT_MS + transferMs(lengthInHand(input.images))
  const answer = await ask(ctx, { url, method: 'POST', json, timeoutMs })
  const read = VideoAnswer.safeParse(answer.json)
  if (answer.status >= 300 || !read.success) throw refusalOf(answer)
  const { id, polling_url } = read.data
  const seconds = typeof json.duration === 'number' ? json.duration : null
  const made = { calls: 1, outputs: 1, seconds }
  const usual_cost = costMicroUsd(input.config.cost, made)
  return { id, polling_url: polling_url ?? null, usual_cost }
}

type End = { job: Job; answer: VideoAnswer } | ProviderError

/** Null while it runs. A failure is a value, because another job of the same operation may do better. */
async function endOf(job: Job, ctx: ProviderContext, baseUrl: string): Promise<End | null> {
  const url = ownAddress(job.polling_url, baseUrl) ?? jobUrl(job, baseUrl)
  const answer = await askAbout(ctx, { url, timeoutMs: POLL_TIMEOUT_MS })
  // That the job is unknown is believed of the vendor's own words only, not of some gateway.
  if (GONE.has(answer.status) && refusalIn(answer)) return ended(`${answer.status}: no such job`)
  if (answer.status !== 200) throw stillOpen(errorOfPollStatus(answer))
  const read = VideoAnswer.safeParse(answer.json)
  if (!read.success) throw errorOfPollStatus(answer, 'not what a video job answers')
  const { status, error, usage } = read.data
  if (!VIDEO_ENDS.has(status)) return null
  if (status === 'completed') return { job, answer: read.data }
  const told = typeof error === 'string' ? error : JSON.stringify(error ?? null)
  const message = `${status}: ${told}`
  return charged(speaksOfContent(told) ? contentRefusal(message) : ended(message), toldCost(usage))
}

const GONE: ReadonlySet<number> = new Set([404, 410])

function ended(why: string): ProviderError {
  return new ProviderError('unavailable', why)
}

function stillOpen(error: ProviderError): ProviderError {
  if (error.kind === 'rate_limited') return error
  const { message, retryAfterMs } = error
  return new ProviderError(
    'unknown_outcome',
    message,
    retryAfterMs === null ? {} : { retryAfterMs },
  )
}

async function takeVideo(end: End, ctx: ProviderContext, baseUrl: string): Promise<Done> {
  if (end instanceof ProviderError) throw end
  const { job, answer } = end
  const output = await videoOf(answer, job, ctx, baseUrl)
  if (!output) throw charged(ended('completed without a video'), toldCost(answer.usage))
  const cost = toldCost(answer.usage) ?? job.usual_cost
  return {
    state: 'done',
    outputs: [output],
    ...(cost === null ? {} : { usage: { costMicroUsd: cost } }),
  }
}

/**
 * A storage address needs no key and is handed on. One of the vendor's own needs it, so the video is fetched
 * here: an address that wants the key is never stored, and the key goes to no other host.
 */
async function videoOf(
  { urls, unsigned_urls }: VideoAnswer,
  job: Job,
  ctx: ProviderContext,
  baseUrl: string,
): Promise<Output | null> {
  const foreign = [...(urls ?? []), ...(unsigned_urls ?? [])].find(
    url => url.startsWith('https://') && ownAddress(url, baseUrl) === null,
  )
  if (foreign !== undefined) return { type: 'file', url: foreign, contentType: null }
  const [own] = (unsigned_urls ?? []).flatMap(url => ownAddress(url, baseUrl) ?? [])
  const bytes = await askForFile(ctx, own ?? `${jobUrl(job, baseUrl)}/content?index=0`)
  return bytes && bytes.length > 0 ? { type: 'file', bytes, contentType: null } : null
}

function jobUrl({ id }: Job, baseUrl: string): string {
  return `${baseUrl}/videos/${encodeURIComponent(id)}`
}

/** The address in full if it is of the vendor's own API, where it may leave out the host; else null. */
function ownAddress(address: string | null, baseUrl: string): string | null {
  if (address === null || !/^(https?:\/)?\//.test(address)) return null
  const url = URL.parse(address, baseUrl)
  return url && url.origin === new URL(baseUrl).origin ? url.href : null
}

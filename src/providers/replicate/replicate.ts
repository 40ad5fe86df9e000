import { z } from 'zod'
import { MINUTE, SECOND } from '@/base/clock'
import { costMicroUsd } from '../cost'
import { ProviderError, toProviderError } from '../errors'
import { errorOfStatus } from '../http'
import type { Done, Provider, ProviderContext, ProviderUsage, StartResult } from '../spec'
import { ask, askAgain } from './ask'
import { createCallbackReader } from './callback'
import { errorOfCreation, errorOfPrediction, errorOfQuestion } from './failure'
import { type Creation, creationsOf } from './input'
import { isOfVendor, operationOf, type ReplicateOperation, readOperation } from './operation'
import { outputsOf } from './outputs'
import { ReplicateParams } from './params'
import { isEnded, Prediction, progressOf } from './prediction'

export type ReplicateOptions = {
  /** Whatever it names is trusted with the key, and nothing else is. */
  baseUrl?: string
}

/**
 * Replicate: official models, any model by its version, and deployments. A start creates predictions
 * and never waits for them (`Prefer: wait`): waiting would hold a slot for up to a minute, and an answer
 * that is lost after it would leave nothing to ask about, while one that comes at once leaves an id.
 */
export function createReplicate({ baseUrl = BASE_URL }: ReplicateOptions = {}): Provider {
  return {
    name: 'replicate',
    params: ReplicateParams,

    async start(input, ctx) {
      const creations = creationsOf(input)
      const results = await Promise.allSettled(
        creations.map(creation => create(creation, input.kind, ctx)),
      )
      const begun = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
      // Some of several is a success with fewer outputs; what became of the others is their loss.
      if (begun.length === 0) throw gravest(results)
      const operation = operationOf(baseUrl, begun, input, ctx.nowMs)
      return conclude(operation, begun, ctx.nowMs)
    },

    async poll(stored, ctx) {
      const operation = readOperation(baseUrl, stored)
      const predictions = await Promise.all(operation.predictions.map(handle => get(handle, ctx)))
      return conclude(operation, predictions, ctx.nowMs)
    },

    async cancel(stored, ctx) {
      const { predictions } = readOperation(baseUrl, stored)
      const results = await Promise.allSettled(
        predictions.map(handle => cancel(handle.cancel, ctx)),
      )
      const failed = results.find(result => result.status === 'rejected')
      if (failed) throw failed.reason
    },

    /** By the callback's address, which is the one thing of ours that a prediction carries. */
    async find(reference, ctx) {
      if (ctx.callbackUrl === null) return null
      const found = await newest(ctx, ({ webhook }) => webhook?.includes(`/${reference}/`) ?? false)
      if (found.length === 0) return null
      // Never the outcome itself, so that one that failed ends the attempt by a poll like any other.
      const operation = operationOf(baseUrl, found, null, ctx.nowMs)
      return { state: 'pending', operation, pollAfterMs: SOONEST_POLL_MS }
    },

    parseCallback: createCallbackReader(baseUrl),

    async check(ctx) {
      const answer = await ask(ctx, { url: `${baseUrl}/account` })
      if (answer.status !== 200 || !Account.safeParse(answer.json).success) {
        throw errorOfStatus(answer)
      }
    },
  }

  async function create(
    { path, version, input }: Creation,
    kind: string,
    ctx: ProviderContext,
  ): Promise<Prediction> {
    const callback = ctx.callbackUrl && {
      webhook: ctx.callbackUrl,
      webhook_events_filter: ['completed'],
    }
    const answer = await ask(ctx, {
      method: 'POST',
      url: `${baseUrl}${path}`,
      headers: { 'cancel-after': CANCEL_AFTER[kind] ?? USUAL_CANCEL_AFTER },
      json: { ...(version === undefined ? {} : { version }), input, ...callback },
    })
    const prediction = Prediction.safeParse(answer.json)
    if (answer.status < 200 || answer.status > 299 || !prediction.success) {
      throw errorOfCreation(answer)
    }
    return prediction.data
  }

  async function get(handle: Handle, ctx: ProviderContext): Promise<Prediction> {
    const answer = await askAgain(ctx, { url: handle.get })
    // Of several one may be gone; whether that is the end is for all of them together to say.
    if (answer.status === 404 || answer.status === 410) return goneOf(handle)
    const prediction = Prediction.safeParse(answer.json)
    if (answer.status !== 200 || !prediction.success) throw errorOfQuestion(answer)
    return prediction.data
  }

  async function cancel(url: string, ctx: ProviderContext): Promise<void> {
    const { status, ...answer } = await ask(ctx, { method: 'POST', url })
    // What has ended, or was cancelled before, is as good as cancelled.
    if (status !== 404 && (status < 200 || status > 299)) throw errorOfStatus({ status, ...answer })
  }

  async function newest(ctx: ProviderContext, isOurs: (prediction: Prediction) => boolean) {
    const since = new Date(ctx.nowMs - LOOK_BACK_MS).toISOString()
    const found: Prediction[] = []
    let url: string | null = `${baseUrl}/predictions?created_after=${encodeURIComponent(since)}`
    for (let pages = 0; pages < MAX_PAGES && url !== null; pages++) {
      const answer = await ask(ctx, { url, maxBytes: MAX_PAGE_BYTES })
      const page = Page.safeParse(answer.json)
      if (answer.status !== 200 || !page.success) throw errorOfQuestion(answer)
      const { results, next } = page.data
      const predictions = results.flatMap(result => Prediction.safeParse(result).data ?? [])
      found.push(...predictions.filter(isOurs))
      url = next && isOfVendor(baseUrl, next) ? next : null
    }
    return found
  }
}

const BASE_URL = 'https://api.replicate.com/v1'

type Handle = ReplicateOperation['predictions'][number]

/**
 * The vendor's own limit, counted from the creation, waiting in its queue included. Longer than the hub
 * waits for an attempt, so that it matters only when the hub could not cancel: then what nobody will
 * fetch does not go on, and is not paid for, for hours.
 */
const CANCEL_AFTER: { [kind: string]: string } = { video: '35m' }
const USUAL_CANCEL_AFTER = '15m'

/** Most pictures take seconds. The vendor lets an account ask 3,000 times a minute. */
const SOONEST_POLL_MS = SECOND
const LATEST_POLL_MS = 15 * SECOND

/** An attempt whose start was lost ends within the half hour; 100 predictions are on a page. */
const LOOK_BACK_MS = 60 * MINUTE
const MAX_PAGES = 5
const MAX_PAGE_BYTES = 32 * 1024 * 1024

const Account = z.object({ username: z.string() })
const Page = z.object({ results: z.array(z.unknown()), next: z.string().nullish() })

function conclude(
  operation: ReplicateOperation,
  predictions: Prediction[],
  nowMs: number,
): StartResult {
  if (!predictions.every(({ status }) => isEnded(status))) {
    const told = predictions.map(progressOf).filter(progress => progress !== null)
    return {
      state: 'pending',
      operation,
      pollAfterMs: pollAfterMs(nowMs - operation.started_at_ms),
      ...(told.length > 0 ? { progress: Math.floor(sum(told) / predictions.length) } : {}),
    }
  }
  const made = predictions.flatMap(({ status, output }) =>
    status === 'succeeded' ? outputsOf(output, operation.asked?.kind ?? null) : [],
  )
  if (made.length > 0) return done(operation, predictions, made)
  const errors = predictions.map(errorOfPrediction)
  throw errors.find(({ kind }) => kind === 'rejected') ?? errors[0]
}

function done(
  { asked }: ReplicateOperation,
  predictions: Prediction[],
  made: Done['outputs'],
): Done {
  const times = predictions.flatMap(({ metrics }) => metrics?.predict_time ?? [])
  const seconds = times.length > 0 ? sum(times) : null
  // A rate by the second is one of the video where its length was asked for, else one of the machine.
  const billed = asked?.seconds === null || !asked ? seconds : asked.seconds * made.length
  const calls = predictions.filter(({ status }) => status === 'succeeded').length
  const cost = costMicroUsd(asked?.rates ?? null, { calls, outputs: made.length, seconds: billed })
  const usage: ProviderUsage = {
    ...(seconds === null ? {} : { seconds }),
    ...(cost === null ? {} : { costMicroUsd: cost }),
  }
  return { state: 'done', outputs: made.slice(0, asked?.num_outputs ?? made.length), usage }
}

/** A quarter of the time that it took so far: soon for what is quick, seldom for what is slow. */
function pollAfterMs(ageMs: number): number {
  return Math.round(Math.min(Math.max(ageMs / 4, SOONEST_POLL_MS), LATEST_POLL_MS))
}

/** Of several that all failed: one that may have begun outweighs all, for it must not be begun again. */
function gravest(results: PromiseSettledResult<unknown>[]): ProviderError {
  const errors = results.flatMap(result =>
    result.status === 'rejected' ? [toProviderError(result.reason)] : [],
  )
  const order = ['unknown_outcome', 'rejected', 'rate_limited', 'unavailable']
  const [first] = errors.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
  return first ?? new ProviderError('rejected', 'nothing was asked for', { reason: 'input' })
}

function goneOf({ id }: Handle): Prediction {
  return { id, status: 'failed', output: null, error: 'the vendor knows it no longer' }
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

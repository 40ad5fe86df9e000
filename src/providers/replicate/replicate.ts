import { z } from 'zod'
import { MINUTE, SECOND } from '@/base/clock'
import { charged } from '../charged'
import { costMicroUsd, usageOf } from '../cost'
import type { ProviderError } from '../errors'
import { errorOfPollStatus, errorOfStatus, mayHaveKey } from '../http'
import { pollAfterMs } from '../pace'
import { joined, kept, several } from '../several'
import type { Done, Provider, ProviderContext, StartResult } from '../spec'
import { withoutPictures } from '../without-pictures'
import { ask, askAbout } from './ask'
import { createCallbackReader } from './callback'
import { errorOfCreation, errorOfPrediction, errorOfQuestion } from './failure'
import { type Creation, creationsOf } from './input'
import { type Handle, operationOf, type ReplicateOperation, storedOperation } from './operation'
import { outputsOf } from './outputs'
import { ReplicateParams } from './params'
import { isEnded, Prediction, progressOf } from './prediction'
import { uploadedTo } from './upload'

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
  return withoutPictures({
    name: 'replicate',
    params: ReplicateParams,
    pollsPerMinute: POLLS_PER_MINUTE,

    async start(input, ctx) {
      // Refuses what cannot be asked for, before anything is uploaded for nothing.
      creationsOf(input)
      const images = await uploadedTo(baseUrl, input.images, ctx)
      const creations = creationsOf({ ...input, images })
      const begun = await several(creations, creation => create(creation, ctx))
      return conclude(operationOf(baseUrl, begun.made, input, ctx.nowMs), begun.made, ctx.nowMs)
    },

    async poll(stored, ctx) {
      const operation = storedOperation(baseUrl, stored)
      const look = (handle: Handle) => get(handle, ctx)
      const { made } = await several(operation.predictions, look, { isRepeatable: true })
      return conclude(operation, made, ctx.nowMs)
    },

    async cancel(stored, ctx) {
      const { predictions } = storedOperation(baseUrl, stored)
      await several(predictions, handle => cancel(handle, ctx), { isRepeatable: true })
    },

    /** By the callback's address, which is the one thing of ours that a prediction carries. */
    async find(reference, ctx, input) {
      if (ctx.callbackUrl === null) return null
      const found = await newest(ctx, ({ webhook }) => webhook?.includes(`/${reference}/`) ?? false)
      if (found.length === 0) return null
      // Never the outcome itself, so that one that failed ends the attempt by a poll like any other.
      const operation = operationOf(baseUrl, found, input, ctx.nowMs)
      return { state: 'pending', operation, pollAfterMs: PACE.soonestMs }
    },

    parseCallback: createCallbackReader(baseUrl),

    async check(ctx) {
      const answer = await ask(ctx, { url: `${baseUrl}/account` })
      if (answer.status !== 200 || !Account.safeParse(answer.json).success) {
        throw errorOfStatus(answer)
      }
    },
  })

  async function create(
    { path, version, input }: Creation,
    ctx: ProviderContext,
  ): Promise<Prediction> {
    const callback = ctx.callbackUrl && {
      webhook: ctx.callbackUrl,
      webhook_events_filter: ['completed'],
    }
    const answer = await ask(ctx, {
      method: 'POST',
      url: `${baseUrl}${path}`,
      headers: { 'cancel-after': cancelAfter(ctx) },
      json: { ...(version === undefined ? {} : { version }), input, ...callback },
    })
    const prediction = Prediction.safeParse(answer.json)
    if (answer.status < 200 || answer.status > 299 || !prediction.success) {
      throw errorOfCreation(answer)
    }
    return prediction.data
  }

  async function get(handle: Handle, ctx: ProviderContext): Promise<Prediction> {
    const answer = await askAbout(ctx, { url: handle.get })
    // Of several one may be gone; whether that is the end is for all of them together to say.
    if (answer.status === 404 || answer.status === 410) return goneOf(handle)
    const prediction = Prediction.safeParse(answer.json)
    if (answer.status !== 200 || !prediction.success) throw errorOfQuestion(answer)
    return prediction.data
  }

  async function cancel({ cancel: url }: Handle, ctx: ProviderContext): Promise<void> {
    const answer = await askAbout(ctx, { method: 'POST', url })
    // What has ended, or was cancelled before, is as good as cancelled.
    const isTaken = answer.status === 404 || (answer.status >= 200 && answer.status <= 299)
    if (!isTaken) throw errorOfPollStatus(answer)
  }

  async function newest(ctx: ProviderContext, isOurs: (prediction: Prediction) => boolean) {
    const since = new Date(ctx.nowMs - LOOK_BACK_MS).toISOString()
    const found: Prediction[] = []
    let url: string | null = `${baseUrl}/predictions?created_after=${encodeURIComponent(since)}`
    for (let pages = 0; pages < MAX_PAGES && url !== null; pages++) {
      const answer = await askAbout(ctx, { url, maxBytes: MAX_PAGE_BYTES })
      const page = Page.safeParse(answer.json)
      if (answer.status !== 200 || !page.success) throw errorOfQuestion(answer)
      const { results, next } = page.data
      const predictions = results.flatMap(result => Prediction.safeParse(result).data ?? [])
      found.push(...predictions.filter(isOurs))
      url = next && mayHaveKey(baseUrl, next) ? next : null
    }
    return found
  }
}

const BASE_URL = 'https://api.replicate.com/v1'

/** The vendor lets an account ask 3,000 times a minute; cancels, lists and uploads take from it. */
const POLLS_PER_MINUTE = 2_400

/** Most pictures take seconds. */
const PACE = { share: 1 / 4, soonestMs: SECOND, latestMs: 15 * SECOND }

/** An attempt whose start was lost ends within the half hour; 100 predictions are on a page. */
const LOOK_BACK_MS = 60 * MINUTE
const MAX_PAGES = 5
/** A page of predictions has their inputs, too: the most is a hundred with pictures of the largest inline size. */
const MAX_PAGE_BYTES = 48 * 1024 * 1024

const Account = z.object({ username: z.string() })
const Page = z.object({ results: z.array(z.unknown()), next: z.string().nullish() })

/**
 * The vendor's own limit, counted from the creation, waiting in its queue included. Longer than the hub
 * waits for the attempt, so that it matters only when the hub could not cancel: then what nobody will
 * fetch does not go on, and is not paid for, for hours.
 */
function cancelAfter({ nowMs, deadlineMs }: ProviderContext): string {
  return `${Math.ceil(Math.max(deadlineMs - nowMs, 0) / MINUTE) + MINUTES_AFTER_US}m`
}

const MINUTES_AFTER_US = 5

function conclude(
  operation: ReplicateOperation,
  predictions: Prediction[],
  nowMs: number,
): StartResult {
  if (predictions.every(({ status }) => isEnded(status))) {
    const ends = predictions.map(prediction => endOf(prediction, operation))
    return joined(kept(ends), operation.num_outputs)
  }
  const told = predictions.map(progressOf).filter(progress => progress !== null)
  const sum = told.reduce((total, progress) => total + progress, 0)
  return {
    state: 'pending',
    operation,
    pollAfterMs: pollAfterMs(nowMs - operation.started_at_ms, PACE),
    ...(told.length > 0 ? { progress: Math.floor(sum / predictions.length) } : {}),
  }
}

function endOf(prediction: Prediction, operation: ReplicateOperation): Done | ProviderError {
  const { status, output, metrics } = prediction
  const worked = metrics?.predict_time ?? null
  const outputs = status === 'succeeded' ? outputsOf(output, operation.kind) : []
  if (outputs.length > 0) {
    return { state: 'done', outputs, usage: usageOf(operation, outputs.length, worked) }
  }
  const error = errorOfPrediction(prediction)
  return status === 'canceled' ? charged(error, costOfTime(operation, worked)) : error
}

/** What was cancelled is charged for the time of the machine, where the model is charged by that. */
function costOfTime(
  { rates, seconds: asked }: ReplicateOperation,
  worked: number | null,
): number | null {
  if (!rates?.per_second || asked !== null) return null
  return costMicroUsd({ per_second: rates.per_second }, { calls: 0, outputs: 0, seconds: worked })
}

function goneOf({ id }: Handle): Prediction {
  return { id, status: 'failed', output: null, error: 'the vendor knows it no longer' }
}

import { z } from 'zod'
import { SECOND } from '@/base/clock'
import { costMicroUsd } from '../cost'
import { ProviderError, toProviderError } from '../errors'
import { errorOfStatus } from '../http'
import type { Output, Provider, ProviderContext, ProviderUsage, StartResult } from '../spec'
import { ask, askAgain } from './ask'
import { readCallback } from './callback'
import { errorOfCreation, errorOfGeneration, errorOfQuestion } from './failure'
import { assetOf, Generation, isEnded } from './generation'
import { type Creation, creationOf } from './input'
import { askedOf, type LumaOperation, operationOf, readOperation } from './operation'
import { LumaParams } from './params'

export type LumaOptions = {
  /** Whatever it names is trusted with the key, and nothing else is. */
  baseUrl?: string
}

/**
 * Luma's Dream Machine: pictures (photon) and films (ray). Pictures could be waited for (`sync`), but an
 * answer that is lost after a wait would leave nothing to ask about, while one that comes at once
 * leaves an id.
 */
export function createLuma({ baseUrl = BASE_URL }: LumaOptions = {}): Provider {
  return {
    name: 'luma',
    params: LumaParams,

    async start(input, ctx) {
      const creation = creationOf(input)
      const results = await Promise.allSettled(
        Array.from({ length: input.numOutputs }, () => create(creation, ctx)),
      )
      const begun = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
      // Some of several is a success with fewer outputs; what became of the others is their loss.
      if (begun.length === 0) throw gravest(results)
      return conclude(operationOf(begun, askedOf(input, creation.made), ctx.nowMs), begun, ctx)
    },

    async poll(stored, ctx) {
      const operation = readOperation(stored)
      const generations = await Promise.all(operation.generations.map(id => get(id, ctx)))
      return conclude(operation, generations, ctx)
    },

    /** To delete is all that can be done; whether the vendor stops working on it is not told. */
    async cancel(stored, ctx) {
      const { generations } = readOperation(stored)
      const results = await Promise.allSettled(generations.map(id => remove(id, ctx)))
      const failed = results.find(result => result.status === 'rejected')
      if (failed) throw failed.reason
    },

    /** By the callback's address, which is the one thing of ours that a generation carries. */
    async find(reference, ctx) {
      if (ctx.callbackUrl === null) return null
      const found = await listed(
        ctx,
        ({ request }) => request?.callback_url?.includes(`/${reference}/`) ?? false,
      )
      if (found.length === 0) return null
      // Never the outcome itself, so that one that failed ends the attempt by a poll like any other.
      const operation = operationOf(found, null, ctx.nowMs)
      return { state: 'pending', operation, pollAfterMs: SOONEST_POLL_MS.image }
    },

    async parseCallback(rawBody) {
      return readCallback(rawBody)
    },

    /** An account without credit proves its key and makes nothing. */
    async check(ctx) {
      const answer = await ask(ctx, { url: `${baseUrl}/credits` })
      const credits = Credits.safeParse(answer.json)
      if (answer.status !== 200 || !credits.success) throw errorOfStatus(answer)
      if (credits.data.credit_balance <= 0) {
        throw new ProviderError('unavailable', 'the account has no credit left')
      }
    },
  }

  async function create({ made, body }: Creation, ctx: ProviderContext): Promise<Generation> {
    const answer = await ask(ctx, {
      method: 'POST',
      url: `${baseUrl}/generations/${made}`,
      json: ctx.callbackUrl === null ? body : { ...body, callback_url: ctx.callbackUrl },
    })
    const generation = Generation.safeParse(answer.json)
    if (answer.status < 200 || answer.status > 299 || !generation.success) {
      throw errorOfCreation(answer)
    }
    return generation.data
  }

  async function get(id: string, ctx: ProviderContext): Promise<Generation> {
    const answer = await askAgain(ctx, { url: `${baseUrl}/generations/${id}` })
    // Of several one may be gone; whether that is the end is for all of them together to say.
    if (answer.status === 404 || answer.status === 410) {
      return { id, state: 'failed', failure_reason: 'the vendor knows it no longer' }
    }
    const generation = Generation.safeParse(answer.json)
    if (answer.status !== 200 || !generation.success) throw errorOfQuestion(answer)
    return generation.data
  }

  async function remove(id: string, ctx: ProviderContext): Promise<void> {
    const answer = await ask(ctx, { method: 'DELETE', url: `${baseUrl}/generations/${id}` })
    const isGone = answer.status === 404 || (answer.status >= 200 && answer.status <= 299)
    if (!isGone) throw errorOfStatus(answer)
  }

  async function listed(ctx: ProviderContext, isOurs: (generation: Generation) => boolean) {
    const found: Generation[] = []
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = `limit=${PAGE}&offset=${page * PAGE}`
      const answer = await ask(ctx, { url: `${baseUrl}/generations?${query}` })
      const list = List.safeParse(answer.json)
      if (answer.status !== 200 || !list.success) throw errorOfQuestion(answer)
      const generations = list.data.generations.flatMap(
        generation => Generation.safeParse(generation).data ?? [],
      )
      found.push(...generations.filter(isOurs))
      if (list.data.has_more !== true) break
    }
    return found
  }
}

const BASE_URL = 'https://api.lumalabs.ai/dream-machine/v1'

/** Pictures take some seconds, films a minute and more; the vendor's own examples ask every three. */
const SOONEST_POLL_MS = { image: 2 * SECOND, video: 5 * SECOND }
const LATEST_POLL_MS = 20 * SECOND

const PAGE = 100
const MAX_PAGES = 5

const Credits = z.object({ credit_balance: z.number() })
const List = z.object({ generations: z.array(z.unknown()), has_more: z.boolean().nullish() })

function conclude(
  operation: LumaOperation,
  generations: Generation[],
  { nowMs }: ProviderContext,
): StartResult {
  const { asked, started_at_ms } = operation
  if (!generations.every(({ state }) => isEnded(state))) {
    const soonestMs = asked?.made === 'video' ? SOONEST_POLL_MS.video : SOONEST_POLL_MS.image
    return {
      state: 'pending',
      operation,
      pollAfterMs: pollAfterMs(nowMs - started_at_ms, soonestMs),
    }
  }
  const outputs = generations.flatMap((generation): Output[] => {
    const url = assetOf(generation, asked?.made ?? null)
    return url === null ? [] : [{ type: 'file', url, contentType: null }]
  })
  if (outputs.length > 0) return { state: 'done', outputs, usage: usageOf(asked, outputs.length) }
  const errors = generations.map(errorOfGeneration)
  throw errors.find(({ kind }) => kind === 'rejected') ?? errors[0]
}

/** The vendor gives back what a failed generation cost, so what was made is what is paid. */
function usageOf(asked: LumaOperation['asked'], made: number): ProviderUsage {
  const seconds = asked === null || asked.seconds === null ? null : asked.seconds * made
  const cost = costMicroUsd(asked?.rates ?? null, { calls: made, outputs: made, seconds })
  return cost === null ? {} : { costMicroUsd: cost }
}

/** A quarter of the time that it took so far: soon for what is quick, seldom for what is slow. */
function pollAfterMs(ageMs: number, soonestMs: number): number {
  return Math.round(Math.min(Math.max(ageMs / 4, soonestMs), LATEST_POLL_MS))
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

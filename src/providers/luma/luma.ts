import { z } from 'zod'
import { SECOND } from '@/base/clock'
import { usageOf } from '../cost'
import { ProviderError } from '../errors'
import { createAsker, errorOfPollStatus, errorOfStatus } from '../http'
import { pollAfterMs } from '../pace'
import { readOperation } from '../read-operation'
import { joined, kept, several } from '../several'
import type { Done, Provider, ProviderContext, StartResult } from '../spec'
import { readCallback } from './callback'
import { errorOfCreation, errorOfGeneration, errorOfQuestion } from './failure'
import { Generation, isEnded, outputsOf } from './generation'
import { type Creation, creationsOf, madeOf } from './input'
import { LumaOperation, operationOf } from './operation'
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
      const { made } = await several(creationsOf(input), creation => create(creation, ctx))
      return conclude(operationOf(made, madeOf(input), input, ctx.nowMs), made, ctx)
    },

    async poll(stored, ctx) {
      const operation = readOperation('Luma', LumaOperation, stored)
      const look = (id: string) => get(id, ctx)
      const { made } = await several(operation.generations, look, { isRepeatable: true })
      return conclude(operation, made, ctx)
    },

    /** To delete is all that can be done; whether the vendor stops working on it is not told. */
    async cancel(stored, ctx) {
      const { generations } = readOperation('Luma', LumaOperation, stored)
      await several(generations, id => remove(id, ctx), { isRepeatable: true })
    },

    /** By the callback's address, which is the one thing of ours that a generation carries. */
    async find(reference, ctx, input) {
      if (ctx.callbackUrl === null) return null
      const found = await listed(
        ctx,
        ({ request }) => request?.callback_url?.includes(`/${reference}/`) ?? false,
      )
      if (found.length === 0) return null
      // Never the outcome itself, so that one that failed ends the attempt by a poll like any other.
      const operation = operationOf(found, madeOf(input), input, ctx.nowMs)
      return { state: 'pending', operation, pollAfterMs: PACE.soonestMs }
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
        const message = 'the account has no credit left'
        throw new ProviderError('unavailable', message, { isPermanent: true })
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
    const answer = await askAbout(ctx, { url: `${baseUrl}/generations/${id}` })
    // Of several one may be gone; whether that is the end is for all of them together to say.
    if (answer.status === 404 || answer.status === 410) {
      return { id, state: 'failed', failure_reason: 'the vendor knows it no longer' }
    }
    const generation = Generation.safeParse(answer.json)
    if (answer.status !== 200 || !generation.success) throw errorOfQuestion(answer)
    return generation.data
  }

  async function remove(id: string, ctx: ProviderContext): Promise<void> {
    const answer = await askAbout(ctx, { method: 'DELETE', url: `${baseUrl}/generations/${id}` })
    const isGone = answer.status === 404 || (answer.status >= 200 && answer.status <= 299)
    if (!isGone) throw errorOfPollStatus(answer)
  }

  async function listed(ctx: ProviderContext, isOurs: (generation: Generation) => boolean) {
    const found: Generation[] = []
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = `limit=${PAGE}&offset=${page * PAGE}`
      const answer = await askAbout(ctx, { url: `${baseUrl}/generations?${query}` })
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

const { ask, askAbout } = createAsker('Luma', apiKey => ({
  accept: 'application/json',
  authorization: `Bearer ${apiKey}`,
}))

const BASE_URL = 'https://api.lumalabs.ai/dream-machine/v1'

/** Pictures take some seconds, films a minute and more; the vendor's own examples ask every three. */
const PACE = { share: 1 / 4, soonestMs: 2 * SECOND, latestMs: 20 * SECOND }
const FILM_PACE = { ...PACE, soonestMs: 5 * SECOND }

const PAGE = 100
const MAX_PAGES = 5

const Credits = z.object({ credit_balance: z.number() })
const List = z.object({ generations: z.array(z.unknown()), has_more: z.boolean().nullish() })

function conclude(
  operation: LumaOperation,
  generations: Generation[],
  { nowMs }: ProviderContext,
): StartResult {
  if (generations.every(({ state }) => isEnded(state))) {
    return joined(kept(generations.map(generation => endOf(generation, operation))))
  }
  const pace = operation.made === 'video' ? FILM_PACE : PACE
  const ageMs = nowMs - operation.started_at_ms
  return { state: 'pending', operation, pollAfterMs: pollAfterMs(ageMs, pace) }
}

/** The vendor gives back what a failed generation cost, so what was made is what is paid. */
function endOf(generation: Generation, operation: LumaOperation): Done | ProviderError {
  const outputs = outputsOf(generation, operation.made)
  if (outputs.length === 0) return errorOfGeneration(generation)
  return { state: 'done', outputs, usage: usageOf(operation, outputs.length) }
}

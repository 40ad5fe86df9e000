import { Elysia } from 'elysia'
import { z } from 'zod'
import { isoSeconds } from '@/base/clock'
import { AppError } from '@/base/errors'
import * as pricing from '@/domain/pricing'
import { actorOf } from '../caller'
import { type Call, guarded, type HttpDeps } from '../guard'
import { operation } from '../operation'
import { time } from '../schemas'
import { PriceStepBody } from './estimate'

const look = { keys: 'secret', user: 'none', counts: 'read' } as const
const change = { keys: 'secret', user: 'none', counts: 'change' } as const

const rule = z.record(z.string(), z.unknown()).meta({
  description:
    '`base`, `per_output`, `units`, `factors`, `growth`, `additions`, `minimum`, `maximum`. Numbers are whole, or decimals in quotes.',
})

const PriceBody = z
  .object({
    subject: z.string().meta({ description: '`model:<name>` or `feature:<name>`.' }),
    version: z
      .int()
      .meta({ description: 'Counts the rules of this subject; none is ever changed.' }),
    rule,
    created_at: time,
    example_tokens: z
      .int()
      .nullable()
      .meta({ description: 'Of a request that says no more than it must; null: there is none.' }),
    example_steps: z.array(PriceStepBody),
  })
  .meta({ id: 'Price' })

export const LIST_PRICES = operation({
  method: 'GET',
  path: '/api/v1/prices',
  id: 'listPrices',
  summary: 'List the app’s own price rules',
  description: 'Those in force in this mode, all of them, by subject.',
  tag: 'Catalogue',
  access: look,
  answers: {
    200: {
      description: 'Every rule of the app’s own.',
      schema: z.object({ data: z.array(PriceBody) }).meta({ id: 'PriceList' }),
    },
  },
})

export const GET_PRICE = operation({
  method: 'GET',
  path: '/api/v1/prices/:subject',
  id: 'getPrice',
  summary: 'Get one of the app’s own price rules',
  tag: 'Catalogue',
  access: look,
  answers: { 200: { description: 'The rule in force.', schema: PriceBody } },
  errors: ['not_found'],
})

export const SET_PRICE = operation({
  method: 'PUT',
  path: '/api/v1/prices/:subject',
  id: 'setPrice',
  summary: 'Say what a model or a feature costs in this app',
  description:
    'Holds for jobs that are submitted from now on. `subject` is `model:<name>` or `feature:<name>`. The same rule again changes nothing.',
  tag: 'Catalogue',
  access: change,
  body: z.strictObject({ rule }).meta({ id: 'SetPriceRequest' }),
  answers: { 200: { description: 'In force, with a worked example.', schema: PriceBody } },
  errors: ['not_found', 'model_not_found'],
})

export const REMOVE_PRICE = operation({
  method: 'DELETE',
  path: '/api/v1/prices/:subject',
  id: 'removePrice',
  summary: 'Remove one of the app’s own price rules',
  description: 'From then on the hub’s rule holds, or the model’s plain price.',
  tag: 'Catalogue',
  access: change,
  answers: {
    200: {
      description: 'Removed.',
      schema: z.object({ subject: z.string(), deleted: z.boolean() }).meta({ id: 'RemovedPrice' }),
    },
  },
  errors: ['not_found'],
})

export const priceRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'v1.prices' })
    .get(
      LIST_PRICES.path,
      guarded(http, LIST_PRICES, ({ caller }) => ({
        status: 200,
        body: { data: pricing.listPrices(http.deps, caller.realm).map(presentPrice) },
      })),
      { detail: { hide: true } },
    )
    .get(
      GET_PRICE.path,
      guarded(http, GET_PRICE, ({ caller, params }) => {
        const price = pricing.findPrice(http.deps, caller.realm, subjectIn(params))
        if (!price) throw new AppError('not_found')
        return { status: 200, body: presentPrice(price) }
      }),
      { detail: { hide: true } },
    )
    .put(
      SET_PRICE.path,
      guarded(http, SET_PRICE, call => set(http, call)),
      { parse: 'none', detail: { hide: true } },
    )
    .delete(
      REMOVE_PRICE.path,
      guarded(http, REMOVE_PRICE, call => remove(http, call)),
      { parse: 'none', detail: { hide: true } },
    )

async function set({ deps }: HttpDeps, call: Call<typeof SET_PRICE>) {
  const { caller, body, params } = call
  const price = await pricing.setRule(deps, actorOf(caller, call), {
    realm: caller.realm,
    subject: subjectIn(params),
    rule: body.rule,
  })
  return { status: 200, body: presentPrice(price) }
}

async function remove({ deps }: HttpDeps, call: Call<typeof REMOVE_PRICE>) {
  const { caller, params } = call
  const subject = await pricing.removeRule(deps, actorOf(caller, call), {
    realm: caller.realm,
    subject: subjectIn(params),
  })
  return { status: 200, body: { subject, deleted: true } }
}

function presentPrice({ subject, version, rule, createdAt, example }: pricing.PriceView) {
  return {
    subject,
    version,
    rule,
    created_at: isoSeconds(createdAt),
    example_tokens: example?.tokens ?? null,
    example_steps: (example?.steps ?? []).map(({ what, tokens }) => ({ what, tokens })),
  }
}

/** The colon may come percent-encoded. */
function subjectIn(params: Record<string, string>): string {
  try {
    return decodeURIComponent(params.subject ?? '')
  } catch {
    throw new AppError('not_found')
  }
}

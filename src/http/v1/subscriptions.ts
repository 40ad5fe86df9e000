import { Elysia } from 'elysia'
import { z } from 'zod'
import { AppError } from '@/base/errors'
import * as plans from '@/domain/plans'
import { actorOf } from '../caller'
import { type Call, guarded, type HttpDeps } from '../guard'
import { idempotencyOf, replayHeaders } from '../idempotency'
import { operation } from '../operation'
import { pathUser } from '../path-user'
import { presentSubscription } from '../present-plan'
import { IdempotencyKey } from '../schemas'
import { SubscriptionBody } from './plan-schemas'

const change = { keys: 'secret', user: 'none', counts: 'change' } as const

/** With a fraction or an offset, as stores send it. */
const IsoTime = z.iso.datetime({ offset: true })

export const SET_SUBSCRIPTION = operation({
  method: 'PUT',
  path: '/api/v1/users/:external_id/subscription',
  id: 'setSubscription',
  summary: 'Give a user a plan, or another one',
  description:
    'More tokens in the same time come at once, fewer when the period ends. The plan that the user has already takes back a cancellation and a change to come.',
  tag: 'Plans',
  access: change,
  body: z
    .strictObject({
      plan: z.string().max(64).meta({ description: 'Name of a plan.' }),
      period_start: z
        .string()
        .refine(text => IsoTime.safeParse(text).success, {
          error: 'must be a time like 2026-01-15T10:30:00Z',
        })
        .optional()
        .meta({ format: 'date-time', description: 'When it began, at most 366 days ago.' }),
      source: z
        .string()
        .max(50)
        .default(plans.USUAL_SOURCE)
        .meta({ description: 'Your word for where it was bought.' }),
      proration: z.enum(plans.PRORATIONS).optional().meta({
        description:
          'Of a change that comes at once: `tokens`, what the new plan has more for the share that is left; `none`; `restart`, a new period.',
      }),
      when: z.enum(plans.WHENS).optional(),
      idempotency_key: IdempotencyKey.optional(),
    })
    .meta({ id: 'SetSubscriptionRequest' }),
  isIdempotent: true,
  answers: { 200: { description: 'As it is now.', schema: SubscriptionBody } },
  errors: ['not_found', 'idempotency_mismatch'],
})

export const GET_SUBSCRIPTION = operation({
  method: 'GET',
  path: '/api/v1/users/:external_id/subscription',
  id: 'getSubscription',
  summary: 'Get the plan of a user',
  tag: 'Plans',
  access: { keys: 'any', user: 'optional', counts: 'read' },
  answers: { 200: { description: 'As it is now.', schema: SubscriptionBody } },
  errors: ['not_found'],
})

const KEY_ONLY = z
  .strictObject({ idempotency_key: IdempotencyKey.optional() })
  .meta({ id: 'ChangeSubscriptionRequest' })

export const CANCEL_SUBSCRIPTION = operation({
  method: 'POST',
  path: '/api/v1/users/:external_id/subscription/cancel',
  id: 'cancelSubscription',
  summary: 'End a subscription with its period',
  tag: 'Plans',
  access: change,
  body: KEY_ONLY,
  isBodyOptional: true,
  isIdempotent: true,
  answers: { 200: { description: 'It ends at `period_end`.', schema: SubscriptionBody } },
  errors: ['not_found'],
})

export const RESUME_SUBSCRIPTION = operation({
  method: 'POST',
  path: '/api/v1/users/:external_id/subscription/resume',
  id: 'resumeSubscription',
  summary: 'Take back a cancellation',
  tag: 'Plans',
  access: change,
  body: KEY_ONLY,
  isBodyOptional: true,
  isIdempotent: true,
  answers: { 200: { description: 'It goes on.', schema: SubscriptionBody } },
  errors: ['not_found'],
})

export const DELETE_SUBSCRIPTION = operation({
  method: 'DELETE',
  path: '/api/v1/users/:external_id/subscription',
  id: 'deleteSubscription',
  summary: 'End a subscription now',
  description: 'All its tokens that were not spent expire, those that rolled over too.',
  tag: 'Plans',
  access: change,
  answers: { 200: { description: 'As it was when it ended.', schema: SubscriptionBody } },
  errors: ['not_found'],
})

export const subscriptionRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'v1.subscriptions' })
    .put(
      SET_SUBSCRIPTION.path,
      guarded(http, SET_SUBSCRIPTION, call => set(http, call)),
      { parse: 'none', detail: { hide: true } },
    )
    .get(
      GET_SUBSCRIPTION.path,
      guarded(http, GET_SUBSCRIPTION, ({ caller, params }) => {
        const externalId = pathUser(caller, params)
        const found = plans.findSubscription(http.deps.db, caller.realm.id, externalId)
        if (!found) throw new AppError('not_found')
        return { status: 200, body: presentSubscription(externalId, found) }
      }),
      { detail: { hide: true } },
    )
    .post(
      CANCEL_SUBSCRIPTION.path,
      guarded(http, CANCEL_SUBSCRIPTION, call => mark(http, call, plans.cancel)),
      { parse: 'none', detail: { hide: true } },
    )
    .post(
      RESUME_SUBSCRIPTION.path,
      guarded(http, RESUME_SUBSCRIPTION, call => mark(http, call, plans.resume)),
      { parse: 'none', detail: { hide: true } },
    )
    .delete(
      DELETE_SUBSCRIPTION.path,
      guarded(http, DELETE_SUBSCRIPTION, async call => {
        const { caller } = call
        const externalId = pathUser(caller, call.params)
        const actor = actorOf(caller, call)
        const ended = await plans.endNow(http.deps, actor, caller.realm, externalId)
        return { status: 200, body: presentSubscription(externalId, ended) }
      }),
      { parse: 'none', detail: { hide: true } },
    )

async function set({ deps }: HttpDeps, call: Call<typeof SET_SUBSCRIPTION>) {
  const { caller, body } = call
  const externalId = pathUser(caller, call.params)
  const order = {
    plan: body.plan,
    periodStart: body.period_start === undefined ? null : Date.parse(body.period_start),
    source: body.source,
    proration: body.proration ?? null,
    when: body.when ?? null,
  }
  const given = idempotencyOf(call.request, body)
  const actor = actorOf(caller, call)
  const done = await plans.subscribe(deps, actor, caller.realm, externalId, order, given)
  return {
    status: 200,
    headers: replayHeaders(done.isReplay),
    body: presentSubscription(externalId, done.subscription),
  }
}

async function mark(
  { deps }: HttpDeps,
  call: Call<typeof CANCEL_SUBSCRIPTION> | Call<typeof RESUME_SUBSCRIPTION>,
  verb: typeof plans.cancel,
) {
  const { caller } = call
  const externalId = pathUser(caller, call.params)
  const given = idempotencyOf(call.request, call.body)
  const done = await verb(deps, actorOf(caller, call), caller.realm, externalId, given)
  return {
    status: 200,
    headers: replayHeaders(done.isReplay),
    body: presentSubscription(externalId, done.subscription),
  }
}

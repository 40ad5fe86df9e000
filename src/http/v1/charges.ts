import { Elysia } from 'elysia'
import { z } from 'zod'
import { formatId, requireId } from '@/base/ids'
import * as charges from '@/domain/charges'
import { actorOf } from '../caller'
import { type Call, guarded, type HttpDeps } from '../guard'
import { idempotencyOf, replayHeaders } from '../idempotency'
import { operation } from '../operation'
import { pathUser } from '../path-user'
import { IdempotencyKey } from '../schemas'

const MAX_CHARGE = 1_000_000_000
const MAX_FEATURE = 64
const reason = z.string().min(1).max(500)

const ChargeBody = z
  .object({
    charge_id: z
      .string()
      .nullable()
      .meta({ description: 'Null when the feature is free at the moment: nothing was taken.' }),
    amount: z.int(),
    balance: z.int().meta({ description: 'What the user can spend now.' }),
    feature: z.string().nullable(),
    steps: z
      .array(z.object({ what: z.string(), tokens: z.int() }).meta({ id: 'ChargeStep' }))
      .nullable()
      .meta({ description: 'How the price of a feature came about.' }),
  })
  .meta({ id: 'Charge' })

export const CHARGE_USER = operation({
  method: 'POST',
  path: '/api/v1/users/:external_id/charges',
  id: 'chargeUser',
  summary: 'Take tokens for something of your app’s own',
  description:
    'By `amount`, or by the price of a `feature`. It creates nobody. Taken at once; give it back with reverseCharge.',
  tag: 'Tokens',
  access: { keys: 'secret', user: 'none', counts: 'change' },
  body: z
    .strictObject({
      amount: z.int().min(1).max(MAX_CHARGE).optional(),
      feature: z.string().min(1).max(MAX_FEATURE).optional().meta({
        description: 'The name of a feature that has a price, instead of `amount`.',
      }),
      input: z
        .record(z.string(), z.unknown())
        .optional()
        .meta({ description: 'What the price of the feature depends on.' }),
      reason,
      idempotency_key: IdempotencyKey.optional(),
    })
    .superRefine(({ amount, feature, input }, context) => {
      const complain = (path: string, message: string) =>
        context.addIssue({ code: 'custom', path: [path], message })
      if (amount === undefined && feature === undefined)
        complain('amount', 'or a feature is needed')
      if (amount !== undefined && feature !== undefined)
        complain('feature', 'or an amount, not both')
      if (amount !== undefined && input !== undefined) complain('input', 'goes with a feature')
    })
    .meta({ id: 'ChargeRequest' }),
  isIdempotent: true,
  answers: { 200: { description: 'Taken.', schema: ChargeBody } },
  errors: ['not_found', 'insufficient_tokens', 'user_deactivated', 'idempotency_mismatch'],
})

export const REVERSE_CHARGE = operation({
  method: 'POST',
  path: '/api/v1/users/:external_id/charges/:id/reverse',
  id: 'reverseCharge',
  summary: 'Give a charge back, whole and once',
  description: 'The tokens go back to the very buckets that they came from.',
  tag: 'Tokens',
  access: { keys: 'secret', user: 'none', counts: 'change' },
  body: z
    .strictObject({ reason, idempotency_key: IdempotencyKey.optional() })
    .meta({ id: 'ReverseChargeRequest' }),
  isIdempotent: true,
  answers: {
    200: {
      description: 'Given back.',
      schema: z
        .object({
          charge_id: z.string(),
          transaction_id: z.string().meta({ description: 'The ledger entry that gave it back.' }),
          amount: z.int(),
          balance: z.int().meta({ description: 'What the user can spend now.' }),
        })
        .meta({ id: 'ChargeReversal' }),
    },
  },
  errors: ['not_found', 'conflict', 'idempotency_mismatch'],
})

export const chargeRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'v1.charges' })
    .post(
      CHARGE_USER.path,
      guarded(http, CHARGE_USER, call => charge(http, call)),
      { parse: 'none', detail: { hide: true } },
    )
    .post(
      REVERSE_CHARGE.path,
      guarded(http, REVERSE_CHARGE, call => reverse(http, call)),
      { parse: 'none', detail: { hide: true } },
    )

async function charge({ deps }: HttpDeps, call: Call<typeof CHARGE_USER>) {
  const { caller, body } = call
  const answer = await charges.chargeUser(deps, actorOf(caller, call), caller.realm, {
    externalId: pathUser(caller, call.params),
    what: whatFor(body),
    reason: body.reason,
    idempotency: idempotencyOf(call.request, body),
  })
  const { entryId, amount, balance, feature, steps } = answer
  return {
    status: 200,
    headers: replayHeaders(answer.isReplay),
    body: {
      charge_id: entryId === null ? null : formatId('entry', entryId),
      amount,
      balance,
      feature,
      steps: steps?.map(step => ({ what: step.what, tokens: step.tokens })) ?? null,
    },
  }
}

function whatFor({ amount, feature = '', input }: Call<typeof CHARGE_USER>['body']) {
  return amount === undefined ? { feature, input } : { amount }
}

async function reverse({ deps }: HttpDeps, call: Call<typeof REVERSE_CHARGE>) {
  const { caller, body } = call
  const entryId = requireId('entry', call.params.id ?? '')
  const answer = await charges.reverseCharge(deps, actorOf(caller, call), caller.realm, {
    externalId: pathUser(caller, call.params),
    entryId,
    reason: body.reason,
    idempotency: idempotencyOf(call.request, body),
  })
  return {
    status: 200,
    headers: replayHeaders(answer.isReplay),
    body: {
      charge_id: formatId('entry', entryId),
      transaction_id: formatId('entry', answer.entryId),
      amount: answer.amount,
      balance: answer.balance,
    },
  }
}

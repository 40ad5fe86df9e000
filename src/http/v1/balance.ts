import { Elysia } from 'elysia'
import { z } from 'zod'
import { AppError } from '@/base/errors'
import { formatId, requireId } from '@/base/ids'
import * as ledger from '@/domain/ledger'
import { nextReplenishmentAt } from '@/domain/plans'
import * as users from '@/domain/users'
import { actorOf } from '../caller'
import { type Call, guarded, type HttpDeps } from '../guard'
import { idempotencyOf, replayHeaders } from '../idempotency'
import { operation } from '../operation'
import { pathUser } from '../path-user'
import { presentBalance } from '../present'
import { BalanceBody, IdempotencyKey, MAX_TOKENS, reason } from '../schemas'

const secretForUser = { keys: 'secret', user: 'none', counts: 'change' } as const

export const GET_BALANCE = operation({
  method: 'GET',
  path: '/api/v1/users/:external_id/balance',
  id: 'getBalance',
  summary: 'Get what a user can spend, and where it came from',
  description: '`me` is the user of the call.',
  tag: 'Tokens',
  access: { keys: 'any', user: 'optional', counts: 'read' },
  answers: { 200: { description: 'The balance.', schema: BalanceBody } },
  errors: ['not_found'],
})

export const REVERSE_GRANT = operation({
  method: 'POST',
  path: '/api/v1/users/:external_id/tokens/:transaction_id/reverse',
  id: 'reverseGrant',
  summary: 'Take a grant back, once',
  description:
    'For a purchase that was refunded. Takes what is left of the grant, then bought tokens; what was spent is owed, and taken from the next grants first. What expired of the grant is not asked for.',
  tag: 'Tokens',
  access: secretForUser,
  body: z
    .strictObject({ reason, idempotency_key: IdempotencyKey.optional() })
    .meta({ id: 'ReverseGrantRequest' }),
  isIdempotent: true,
  answers: {
    200: {
      description: 'Reversed.',
      schema: z
        .object({
          external_id: z.string(),
          transaction_id: z.string().nullable().meta({
            description: 'The entry of the reversal; null when all of the grant had expired.',
          }),
          tokens_taken: z.int().meta({ description: 'What of the balance went.' }),
          tokens_owed: z.int().meta({ description: 'What had been spent, and is owed now.' }),
          new_balance: z.int(),
        })
        .meta({ id: 'ReversedGrant' }),
    },
  },
  errors: ['not_found', 'conflict', 'idempotency_mismatch'],
})

export const ADJUST_TOKENS = operation({
  method: 'POST',
  path: '/api/v1/users/:external_id/tokens/adjust',
  id: 'adjustTokens',
  summary: 'Correct a balance, up or down',
  description: 'Never takes more than there is: 402 then, and nothing changes.',
  tag: 'Tokens',
  access: secretForUser,
  body: z
    .strictObject({
      amount: z
        .int()
        .min(-MAX_TOKENS)
        .max(MAX_TOKENS)
        .refine(amount => amount !== 0, { error: 'must not be zero' })
        .meta({ description: 'Signed.' }),
      reason,
      idempotency_key: IdempotencyKey.optional(),
    })
    .meta({ id: 'AdjustTokensRequest' }),
  isIdempotent: true,
  answers: {
    200: {
      description: 'Adjusted.',
      schema: z
        .object({
          external_id: z.string(),
          previous_balance: z.int(),
          amount: z.int(),
          debt_paid: z.int().meta({ description: 'What of it went to an earlier debt at once.' }),
          new_balance: z.int(),
          transaction_id: z.string(),
        })
        .meta({ id: 'TokenAdjustment' }),
    },
  },
  errors: ['not_found', 'insufficient_tokens', 'idempotency_mismatch'],
})

export const balanceRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'v1.balance' })
    .get(
      GET_BALANCE.path,
      guarded(http, GET_BALANCE, call => balance(http, call)),
      { detail: { hide: true } },
    )
    .post(
      REVERSE_GRANT.path,
      guarded(http, REVERSE_GRANT, call => reverse(http, call)),
      { parse: 'none', detail: { hide: true } },
    )
    .post(
      ADJUST_TOKENS.path,
      guarded(http, ADJUST_TOKENS, call => adjust(http, call)),
      { parse: 'none', detail: { hide: true } },
    )

function balance({ deps }: HttpDeps, { caller, params }: Call<typeof GET_BALANCE>) {
  const { realm } = caller
  const user = users.findByExternalId(deps.db, realm.id, pathUser(caller, params))
  if (!user) throw new AppError('not_found')
  const held = ledger.balanceOf(deps.db, realm.id, user.id)
  const replenishedAt = nextReplenishmentAt(deps.db, realm, user.id)
  return { status: 200, body: presentBalance(held, replenishedAt) }
}

async function reverse({ deps }: HttpDeps, call: Call<typeof REVERSE_GRANT>) {
  const { caller, body } = call
  const externalId = pathUser(caller, call.params)
  const answer = await users.reverseGrant(deps, actorOf(caller, call), caller.realm, {
    externalId,
    entryId: requireId('entry', call.params.transaction_id ?? ''),
    reason: body.reason,
    idempotency: idempotencyOf(call.request, body),
  })
  return {
    status: 200,
    headers: replayHeaders(answer.isReplay),
    body: {
      external_id: externalId,
      transaction_id: answer.entryId === null ? null : formatId('entry', answer.entryId),
      tokens_taken: answer.taken,
      tokens_owed: answer.owed,
      new_balance: answer.newBalance,
    },
  }
}

async function adjust({ deps }: HttpDeps, call: Call<typeof ADJUST_TOKENS>) {
  const { caller, body } = call
  const externalId = pathUser(caller, call.params)
  const answer = await users.adjustTokens(deps, actorOf(caller, call), caller.realm, {
    externalId,
    amount: body.amount,
    reason: body.reason,
    idempotency: idempotencyOf(call.request, body),
  })
  return {
    status: 200,
    headers: replayHeaders(answer.isReplay),
    body: {
      external_id: externalId,
      previous_balance: answer.previousBalance,
      amount: answer.amountAdded,
      debt_paid: answer.debtPaid,
      new_balance: answer.newBalance,
      transaction_id: formatId('entry', answer.entryId),
    },
  }
}

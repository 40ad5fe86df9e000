import { Elysia } from 'elysia'
import { z } from 'zod'
import { isoSeconds } from '@/base/clock'
import { AppError } from '@/base/errors'
import { formatId } from '@/base/ids'
import * as ledger from '@/domain/ledger'
import * as users from '@/domain/users'
import { actorOf } from '../caller'
import { type Call, guarded, type HttpDeps } from '../guard'
import { idempotencyOf, replayHeaders } from '../idempotency'
import { operation } from '../operation'
import { beforeOf, pageOf } from '../page'
import { mustBeAbout, pathUser } from '../path-user'
import { presentEntry } from '../present'
import {
  EntryBody,
  ExternalId,
  IdempotencyKey,
  listOf,
  MAX_TOKENS,
  PageQuery,
  reason,
  TimeInput,
  time,
} from '../schemas'
import { makeUserToken } from '../user-token'

const MAX_BATCH = 1_000
const amount = z.int().min(1).max(MAX_TOKENS)
const origin = z
  .enum(ledger.ORIGINS)
  .optional()
  .meta({ description: 'Where they come from; `purchase` unless `type` is `bonus`.' })
const expiresAt = TimeInput.optional().meta({
  description: 'When what is left of them is gone. Bought tokens never expire.',
})
const secretForUser = { keys: 'secret', user: 'none', counts: 'change' } as const

const GrantBody = z
  .object({
    external_id: z.string(),
    previous_balance: z.int(),
    amount_added: z.int(),
    debt_paid: z.int().meta({ description: 'What of it went to an earlier debt at once.' }),
    new_balance: z.int(),
    transaction_id: z.string(),
  })
  .meta({ id: 'TokenGrant' })

export const GRANT_TOKENS = operation({
  method: 'POST',
  path: '/api/v1/users/:external_id/tokens',
  id: 'grantTokens',
  summary: 'Give tokens to a user',
  tag: 'Tokens',
  access: secretForUser,
  body: z
    .strictObject({
      amount,
      reason,
      type: z.enum(['grant', 'bonus']).default('grant'),
      origin,
      expires_at: expiresAt,
      idempotency_key: IdempotencyKey.optional(),
    })
    .meta({ id: 'GrantTokensRequest' }),
  isIdempotent: true,
  answers: { 200: { description: 'Given.', schema: GrantBody } },
  errors: ['not_found', 'idempotency_mismatch'],
})

export const GRANT_BATCH = operation({
  method: 'POST',
  path: '/api/v1/users/tokens/batch',
  id: 'grantTokensBatch',
  summary: 'Give tokens to many users, all or nothing',
  tag: 'Tokens',
  access: secretForUser,
  body: z
    .strictObject({
      grants: z
        .array(
          z
            .strictObject({
              external_id: ExternalId,
              amount,
              reason,
              origin,
              expires_at: expiresAt,
            })
            .meta({ id: 'BatchGrant' }),
        )
        .min(1)
        .max(MAX_BATCH),
      idempotency_key: IdempotencyKey.optional(),
    })
    .meta({ id: 'GrantTokensBatchRequest' }),
  isIdempotent: true,
  answers: {
    200: {
      description: 'Given.',
      schema: z
        .object({ granted: z.int(), total_amount: z.int(), results: z.array(GrantBody) })
        .meta({ id: 'TokenGrantBatch' }),
    },
  },
  errors: ['not_found', 'idempotency_mismatch'],
})

export const LIST_ENTRIES = operation({
  method: 'GET',
  path: '/api/v1/users/:external_id/tokens',
  id: 'listTokenEntries',
  summary: 'List what moved a user’s balance',
  tag: 'Tokens',
  access: { keys: 'any', user: 'optional', counts: 'read' },
  query: z.strictObject(PageQuery),
  answers: {
    200: {
      description: 'A page of ledger entries, newest first.',
      schema: listOf(EntryBody, 'TokenEntryList'),
    },
  },
  errors: ['not_found'],
})

export const CREATE_USER_TOKEN = operation({
  method: 'POST',
  path: '/api/v1/users/:external_id/token',
  id: 'createUserToken',
  summary: 'Get a short token that proves a user',
  description:
    'For an app that ships a publishable key: your server asks for it, the app sends it as `X-User-Token`.',
  tag: 'Users',
  access: secretForUser,
  body: z.strictObject({}).meta({ id: 'CreateUserTokenRequest' }),
  isBodyOptional: true,
  answers: {
    200: {
      description: 'Works for 15 minutes.',
      schema: z.object({ user_token: z.string(), expires_at: time }).meta({ id: 'UserToken' }),
    },
  },
  errors: ['not_found'],
})

export const tokenRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'v1.tokens' })
    .post(
      GRANT_BATCH.path,
      guarded(http, GRANT_BATCH, call => grantBatch(http, call)),
      { parse: 'none', detail: { hide: true } },
    )
    .post(
      GRANT_TOKENS.path,
      guarded(http, GRANT_TOKENS, call => grant(http, call)),
      { parse: 'none', detail: { hide: true } },
    )
    .get(
      LIST_ENTRIES.path,
      guarded(http, LIST_ENTRIES, call => list(http, call)),
      { detail: { hide: true } },
    )
    .post(
      CREATE_USER_TOKEN.path,
      guarded(http, CREATE_USER_TOKEN, async call => {
        const externalId = pathUser(call.caller, call.params)
        const { token, expiresAt } = await makeUserToken(
          http.deps,
          call.caller.realm.id,
          externalId,
        )
        return { status: 200, body: { user_token: token, expires_at: isoSeconds(expiresAt) } }
      }),
      { parse: 'none', detail: { hide: true } },
    )

async function grant({ deps }: HttpDeps, call: Call<typeof GRANT_TOKENS>) {
  const { caller, body } = call
  const externalId = pathUser(caller, call.params)
  const answer = await users.grantTokens(deps, actorOf(caller, call), caller.realm, {
    externalId,
    amount: body.amount,
    reason: body.reason,
    type: body.type === 'bonus' ? 'BONUS' : 'GRANT',
    origin: body.origin,
    expiresAt: msOf(body.expires_at),
    idempotency: idempotencyOf(call.request, body),
  })
  return {
    status: 200,
    headers: replayHeaders(answer.isReplay),
    body: {
      external_id: externalId,
      previous_balance: answer.previousBalance,
      amount_added: answer.amountAdded,
      debt_paid: answer.debtPaid,
      new_balance: answer.newBalance,
      transaction_id: formatId('entry', answer.entryId),
    },
  }
}

async function grantBatch({ deps }: HttpDeps, call: Call<typeof GRANT_BATCH>) {
  const { caller, body } = call
  for (const item of body.grants) mustBeAbout(caller, item.external_id)
  const grants = body.grants.map(item => ({
    externalId: item.external_id,
    amount: item.amount,
    reason: item.reason,
    origin: item.origin,
    expiresAt: msOf(item.expires_at),
  }))
  const idempotency = idempotencyOf(call.request, body)
  const answer = await users.grantBatch(
    deps,
    actorOf(caller, call),
    caller.realm,
    grants,
    idempotency,
  )
  return {
    status: 200,
    headers: replayHeaders(answer.isReplay),
    body: {
      granted: grants.length,
      total_amount: grants.reduce((sum, item) => sum + item.amount, 0),
      results: answer.entries.map((entry, index) => ({
        external_id: grants[index]?.externalId ?? '',
        previous_balance: entry.balanceAfter - entry.amount,
        amount_added: entry.amount,
        debt_paid: entry.debtPaid,
        new_balance: entry.balanceAfter - entry.debtPaid,
        transaction_id: formatId('entry', entry.id),
      })),
    },
  }
}

function msOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text)
}

function list({ deps }: HttpDeps, call: Call<typeof LIST_ENTRIES>) {
  const { caller, query } = call
  const user = users.findByExternalId(deps.db, caller.realm.id, pathUser(caller, call.params))
  if (!user) throw new AppError('not_found')
  const before = beforeOf('entry', query.cursor)
  const rows = ledger.listEntries(deps.db, caller.realm.id, user.id, {
    before,
    limit: query.limit + 1,
  })
  return { status: 200, body: pageOf('entry', rows, query.limit, presentEntry) }
}

import { Elysia } from 'elysia'
import { z } from 'zod'
import { AppError } from '@/base/errors'
import type { RealmId } from '@/base/ids'
import type { Deps } from '@/deps'
import * as users from '@/domain/users'
import { actorOf } from '../caller'
import { type Call, guarded, type HttpDeps } from '../guard'
import { idempotencyOf, replayHeaders, scopeOfKey } from '../idempotency'
import { operation } from '../operation'
import { beforeOf, pageOf } from '../page'
import { mustBeAbout, pathUser } from '../path-user'
import { presentUser } from '../present'
import { ExternalId, IdempotencyKey, listOf, MetadataInput, PageQuery, UserBody } from '../schemas'

export const GET_USER = operation({
  method: 'GET',
  path: '/api/v1/users/:external_id',
  id: 'getUser',
  summary: 'Get a user and the balance',
  description: '`me` is the user of the call.',
  tag: 'Users',
  access: { keys: 'any', user: 'optional', counts: 'read' },
  answers: { 200: { description: 'The user.', schema: UserBody } },
  errors: ['not_found'],
})

export const LIST_USERS = operation({
  method: 'GET',
  path: '/api/v1/users',
  id: 'listUsers',
  summary: 'List users',
  tag: 'Users',
  access: { keys: 'secret', user: 'none', counts: 'read' },
  query: z.strictObject(PageQuery),
  answers: {
    200: { description: 'A page of users, newest first.', schema: listOf(UserBody, 'UserList') },
  },
})

export const CREATE_USER = operation({
  method: 'POST',
  path: '/api/v1/users',
  id: 'createUser',
  summary: 'Create a user, or find it there',
  tag: 'Users',
  access: { keys: 'secret', user: 'none', counts: 'change' },
  body: z
    .strictObject({
      external_id: ExternalId,
      metadata: MetadataInput.optional(),
      idempotency_key: IdempotencyKey.optional(),
    })
    .meta({ id: 'CreateUserRequest' }),
  isIdempotent: true,
  answers: {
    200: { description: 'It was there.', schema: UserBody },
    201: { description: 'Made, with the welcome grant.', schema: UserBody },
  },
  errors: ['not_found', 'idempotency_mismatch'],
})

export const UPDATE_USER = operation({
  method: 'PATCH',
  path: '/api/v1/users/:external_id',
  id: 'updateUser',
  summary: 'Change a user',
  tag: 'Users',
  access: { keys: 'secret', user: 'none', counts: 'change' },
  body: z
    .strictObject({
      metadata: MetadataInput.optional().meta({ description: 'Replaces what was there.' }),
      is_active: z.boolean().optional().meta({ description: 'False: may start no job.' }),
    })
    .meta({ id: 'UpdateUserRequest' }),
  answers: { 200: { description: 'The user as it is now.', schema: UserBody } },
  errors: ['not_found'],
})

export const DELETE_USER = operation({
  method: 'DELETE',
  path: '/api/v1/users/:external_id',
  id: 'deleteUser',
  summary: 'Erase a user',
  description:
    'Running jobs are cancelled and refunded; the person and the files are erased; ledger rows stay without a name.',
  tag: 'Users',
  access: { keys: 'secret', user: 'none', counts: 'change' },
  answers: {
    200: {
      description: 'Erased.',
      schema: z
        .object({ external_id: z.string(), deleted: z.boolean() })
        .meta({ id: 'DeletedUser' }),
    },
  },
  errors: ['not_found'],
})

export const userRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'v1.users' })
    .get(
      GET_USER.path,
      guarded(http, GET_USER, call => {
        const externalId = pathUser(call.caller, call.params)
        const user = users.findByExternalId(http.deps.db, call.caller.realm.id, externalId)
        if (!user) throw new AppError('not_found')
        return { status: 200, body: presentUser(user, call.caller.realm.mode) }
      }),
      { detail: { hide: true } },
    )
    .get(
      LIST_USERS.path,
      guarded(http, LIST_USERS, call => list(http, call)),
      { detail: { hide: true } },
    )
    .post(
      CREATE_USER.path,
      guarded(http, CREATE_USER, call => create(http, call)),
      { parse: 'none', detail: { hide: true } },
    )
    .patch(
      UPDATE_USER.path,
      guarded(http, UPDATE_USER, async call => {
        const { caller, body } = call
        const user = await users.update(
          http.deps,
          actorOf(caller, call),
          caller.realm,
          pathUser(caller, call.params),
          {
            ...(body.metadata ? { metadata: body.metadata } : {}),
            ...(body.is_active === undefined ? {} : { isActive: body.is_active }),
          },
        )
        return { status: 200, body: presentUser(user, caller.realm.mode) }
      }),
      { parse: 'none', detail: { hide: true } },
    )
    .delete(
      DELETE_USER.path,
      guarded(http, DELETE_USER, async call => {
        const { caller } = call
        const externalId = pathUser(caller, call.params)
        await users.erase(http.deps, actorOf(caller, call), caller.realm, externalId)
        return { status: 200, body: { external_id: externalId, deleted: true } }
      }),
      { parse: 'none', detail: { hide: true } },
    )

function list({ deps }: HttpDeps, { caller, query }: Call<typeof LIST_USERS>) {
  const before = beforeOf('user', query.cursor)
  const rows = caller.user
    ? ownRow(deps, caller.realm.id, caller.user.externalId, before)
    : users.listUsers(deps.db, caller.realm.id, { before, limit: query.limit + 1 })
  const present = (user: users.User) => presentUser(user, caller.realm.mode)
  return { status: 200, body: pageOf('user', rows, query.limit, present) }
}

/** A call for one user sees a list of at most that one. */
function ownRow(deps: Deps, realmId: RealmId, externalId: string, before: number): users.User[] {
  const own = users.findByExternalId(deps.db, realmId, externalId)
  return own && own.id < before ? [own] : []
}

async function create({ deps }: HttpDeps, { caller, body, request }: Call<typeof CREATE_USER>) {
  mustBeAbout(caller, body.external_id)
  const once = scopeOfKey(idempotencyOf(request, body), {
    realmId: caller.realm.id,
    userId: null,
    operation: 'create user',
  })
  const made = await users.create(
    deps,
    caller.realm,
    { externalId: body.external_id, ...(body.metadata ? { metadata: body.metadata } : {}) },
    once,
  )
  return {
    status: made.isNew ? 201 : 200,
    body: presentUser(made.user, caller.realm.mode),
    headers: replayHeaders(made.isReplay),
  }
}

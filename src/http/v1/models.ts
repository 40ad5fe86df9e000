import { Elysia } from 'elysia'
import { z } from 'zod'
import { AppError } from '@/base/errors'
import { sha256Hex } from '@/base/secrets'
import type { Deps } from '@/deps'
import { findModel, listModels, type Model } from '@/domain/catalog'
import { canServe, whyNotServed } from '@/domain/routing'
import type { Caller } from '../caller'
import { isFresh } from '../fresh'
import { type Call, guarded, type HttpDeps } from '../guard'
import { operation } from '../operation'
import { presentModel } from '../present'
import { ModelBody } from '../schemas'

const UNCHANGED = {
  description: 'The catalogue is as `If-None-Match` says.',
  schema: z.never(),
}

export const LIST_MODELS = operation({
  method: 'GET',
  path: '/api/v1/models',
  id: 'listModels',
  summary: 'List the models',
  tag: 'Catalogue',
  access: { keys: 'any', user: 'none', counts: 'read' },
  answers: {
    200: {
      description: 'Every model on sale.',
      schema: z.object({ data: z.array(ModelBody) }).meta({ id: 'ModelList' }),
    },
    304: UNCHANGED,
  },
})

export const GET_MODEL = operation({
  method: 'GET',
  path: '/api/v1/models/:name',
  id: 'getModel',
  summary: 'Get a model',
  description: 'By its name or its id: the same as in the list.',
  tag: 'Catalogue',
  access: { keys: 'any', user: 'none', counts: 'read' },
  answers: { 200: { description: 'The model.', schema: ModelBody }, 304: UNCHANGED },
  errors: ['model_not_found'],
})

export const modelRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'v1.models' })
    .get(
      LIST_MODELS.path,
      guarded(http, LIST_MODELS, call => list(http, call)),
      { detail: { hide: true } },
    )
    .get(
      GET_MODEL.path,
      guarded(http, GET_MODEL, call => get(http, call)),
      { detail: { hide: true } },
    )

function list({ deps }: HttpDeps, { caller, request }: Call<typeof LIST_MODELS>) {
  const shown = cached(deps, caller, '', () => ({
    data: listModels(deps).map(model => show(deps, caller, model)),
  }))
  return answer(request, shown)
}

function get({ deps }: HttpDeps, { caller, request, params }: Call<typeof GET_MODEL>) {
  const model = findModel(deps, params.name ?? '')
  if (!model) throw new AppError('model_not_found')
  return answer(
    request,
    cached(deps, caller, `:${model.id}`, () => show(deps, caller, model)),
  )
}

function show(deps: Deps, caller: Caller, model: Model) {
  const { mode } = caller.realm
  const isAvailable = canServe(deps, { mode, modelId: model.id })
  const shown = presentModel(deps, model, isAvailable)
  if (caller.key.kind !== 'secret') return shown
  const reason = mode === 'live' ? whyNotServed(deps, model.id) : NO_SANDBOX
  return { ...shown, unavailable_reason: isAvailable ? null : reason }
}

/** What it says of a live job's routes is no matter of a test job's. */
const NO_SANDBOX = 'test keys need the sandbox, which is not here'

type Shown = { text: string; etag: string }

/** Made once for a mode and a kind of key, until something in the catalogue may have changed. */
function cached(deps: Deps, { realm, key }: Caller, what: string, make: () => object): Shown {
  return deps.cache.get(`catalogue:${realm.mode}:${key.kind}${what}`, () => {
    const text = JSON.stringify(make())
    return { text, etag: `"${sha256Hex(text).slice(0, 32)}"` }
  })
}

function answer(request: Request, { text, etag }: Shown): Response {
  const headers = {
    etag,
    vary: 'X-API-Key, Authorization',
    'cache-control': 'private, no-cache',
    'content-type': 'application/json; charset=utf-8',
  }
  return isFresh(request, etag)
    ? new Response(null, { status: 304, headers })
    : new Response(text, { headers })
}

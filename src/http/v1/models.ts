import { Elysia } from 'elysia'
import { z } from 'zod'
import { sha256Hex } from '@/base/secrets'
import { listModels } from '@/domain/catalog'
import { canServe } from '@/domain/routing'
import { isFresh } from '../fresh'
import { type Call, guarded, type HttpDeps } from '../guard'
import { operation } from '../operation'
import { presentModel } from '../present'
import { ModelBody } from '../schemas'

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
    304: { description: 'The catalogue is as `If-None-Match` says.', schema: z.never() },
  },
})

export const modelRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'v1.models' }).get(
    LIST_MODELS.path,
    guarded(http, LIST_MODELS, call => list(http, call)),
    { detail: { hide: true } },
  )

function list({ deps }: HttpDeps, { caller, request }: Call<typeof LIST_MODELS>) {
  const { mode } = caller.realm
  const isSecret = caller.key.kind === 'secret'
  const { text, etag } = deps.cache.get(`catalogue:${mode}:${caller.key.kind}`, () => {
    const data = listModels(deps).map(model => {
      const isAvailable = canServe(deps, { mode, modelId: model.id, modelName: model.name })
      const shown = presentModel(deps, model, isAvailable)
      const reason = isAvailable ? null : 'no provider that serves this model is set up'
      return isSecret ? { ...shown, unavailable_reason: reason } : shown
    })
    const text = JSON.stringify({ data })
    return { text, etag: `"${sha256Hex(text).slice(0, 32)}"` }
  })
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

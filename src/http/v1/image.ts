import { Elysia } from 'elysia'
import { z } from 'zod'
import { AppError } from '@/base/errors'
import { sha256Hex } from '@/base/secrets'
import { findImageFamily, IMAGE_FAMILIES, modelOfFamily } from '@/domain/catalog'
import { type Call, guarded, type HttpDeps } from '../guard'
import { idempotencyOf } from '../idempotency'
import { operation } from '../operation'
import { accept, checkOrder, MODEL_NAME, ORDER_FIELDS, plainly, STARTS_A_JOB } from './accept'
import { FLAT_FIELDS, inFlatWords, inputOf } from './flat-form'

export const GENERATE_IMAGE = operation({
  ...STARTS_A_JOB,
  path: '/api/v1/image/:family',
  id: 'generateImage',
  summary: 'Start a job with a model of one family',
  description: `As \`generate\`, for ${IMAGE_FAMILIES.join(', ')}. Takes the body of \`generate\`, or the flat form with \`prompt\`, \`references\` and so on: not both. Without \`model\` the cheapest that takes as many pictures as come along.`,
  body: z
    .strictObject({
      model: MODEL_NAME.optional().meta({ description: 'Name or id of a model of the family.' }),
      input: z.record(z.string(), z.unknown()).optional().meta({
        description: 'As in `generate`; then no field of the flat form.',
      }),
      ...FLAT_FIELDS,
      ...ORDER_FIELDS,
    })
    .superRefine((body, context) => {
      if (body.input === undefined) return
      for (const name of Object.keys(FLAT_FIELDS) as (keyof typeof FLAT_FIELDS)[]) {
        if (body[name] === undefined) continue
        const message = 'is of the flat form: put it into `input`, or leave `input` out'
        context.addIssue({ code: 'custom', path: [name], message })
      }
    })
    .meta({ id: 'GenerateImageRequest' }),
  errors: [...STARTS_A_JOB.errors, 'not_found'],
})

export const imageRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'v1.image' }).post(
    GENERATE_IMAGE.path,
    guarded(http, GENERATE_IMAGE, call => generateImage(http, call)),
    { parse: 'none', detail: { hide: true } },
  )

async function generateImage(http: HttpDeps, call: Call<typeof GENERATE_IMAGE>) {
  const { body, params } = call
  const word = params.family ?? ''
  const family = findImageFamily(word)
  if (!family) throw new AppError('not_found')
  checkOrder(http, call)
  const isFlat = body.input === undefined
  const input = body.input ?? inputOf(body)
  const pictures = Array.isArray(input.images) ? input.images.length : 0
  const model = modelOfFamily(http.deps, family, { model: body.model ?? null, pictures })
  const idempotency = keyOfFamily(word, idempotencyOf(call.request, plainly(body)))
  try {
    return await accept(http, call, { model, input, idempotency })
  } catch (thrown) {
    throw isFlat ? inFlatWords(thrown) : thrown
  }
}

/**
 * A job keeps one key, and generate's are there as they came. Those of other paths are hashed with their
 * path, so that the same key on two paths is two jobs.
 */
function keyOfFamily<T extends { key: string }>(word: string, given: T | null): T | null {
  return given && { ...given, key: sha256Hex(`POST /api/v1/image/${word}\n${given.key}`) }
}

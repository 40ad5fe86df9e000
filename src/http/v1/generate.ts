import { Elysia } from 'elysia'
import { z } from 'zod'
import { guarded, type HttpDeps } from '../guard'
import { idempotencyOf } from '../idempotency'
import { operation } from '../operation'
import { accept, checkOrder, MODEL_NAME, ORDER_FIELDS, plainly, STARTS_A_JOB } from './accept'

export const GENERATE = operation({
  ...STARTS_A_JOB,
  path: '/api/v1/generate',
  id: 'generate',
  summary: 'Start a job',
  description:
    'Holds the tokens and queues the job in one step. Ask for the job until it has ended, or take the webhook.',
  body: z
    .strictObject({
      model: MODEL_NAME.meta({ description: 'Name or id of a model.' }),
      input: z.record(z.string(), z.unknown()).meta({
        description:
          'As the model’s `input_schema` says: `prompt`, `images`, `aspect_ratio`, `num_outputs`, ...',
      }),
      ...ORDER_FIELDS,
    })
    .meta({ id: 'GenerateRequest' }),
})

export const generate = (http: HttpDeps) =>
  new Elysia({ name: 'v1.generate' }).post(
    GENERATE.path,
    guarded(http, GENERATE, async call => {
      const { model, input } = call.body
      checkOrder(http, call)
      const idempotency = idempotencyOf(call.request, plainly(call.body))
      return await accept(http, call, { model, input, idempotency })
    }),
    { parse: 'none', detail: { hide: true } },
  )

import { Elysia } from 'elysia'
import { z } from 'zod'
import { AppError, invalidInput } from '@/base/errors'
import { invariant } from '@/base/invariant'
import { checkDestination } from '@/base/safe-fetch'
import * as jobs from '@/domain/jobs'
import { mayHaveWelcomeGrant } from '../caller'
import { type Call, guarded, type HttpDeps } from '../guard'
import { idempotencyOf, replayHeaders } from '../idempotency'
import { operation } from '../operation'
import { pollHeaders, presentJob } from '../present'
import { AcceptedJobBody, IdempotencyKey, MetadataInput } from '../schemas'

const MAX_URL = 2_048
const DEFAULT_PRIORITY = 10

export const GENERATE = operation({
  method: 'POST',
  path: '/api/v1/generate',
  id: 'generate',
  summary: 'Start a job',
  description:
    'Holds the tokens and queues the job in one step. Ask for the job until it has ended, or take the webhook.',
  tag: 'Jobs',
  access: { keys: 'any', user: 'required', counts: 'change' },
  body: z
    .strictObject({
      model: z.string().min(1).max(100).meta({ description: 'Name or id of a model.' }),
      input: z.record(z.string(), z.unknown()).meta({
        description:
          'As the model’s `input_schema` says: `prompt`, `images`, `aspect_ratio`, `num_outputs`, ...',
      }),
      priority: z
        .int()
        .min(1)
        .max(100)
        .default(DEFAULT_PRIORITY)
        .meta({ description: '1 is first. Secret keys only.' }),
      webhook_url: z.string().max(MAX_URL).optional().meta({ description: 'Secret keys only.' }),
      metadata: MetadataInput.default({}),
      idempotency_key: IdempotencyKey.optional(),
    })
    .meta({ id: 'GenerateRequest' }),
  isIdempotent: true,
  answers: {
    202: {
      description: 'Accepted: the tokens are held and the job is queued.',
      schema: AcceptedJobBody,
    },
  },
  errors: [
    'insufficient_tokens',
    'user_deactivated',
    'model_not_found',
    'idempotency_mismatch',
    'no_provider_available',
  ],
})

export const generate = (http: HttpDeps) =>
  new Elysia({ name: 'v1.generate' }).post(
    GENERATE.path,
    guarded(http, GENERATE, async call => {
      const { deps } = http
      const { caller, body } = call
      invariant(caller.user, 'the guard asked for a user')
      checkRights(call)
      checkWebhookUrl(http, body.webhook_url)
      const submitted = await jobs.submit(deps, {
        realm: caller.realm,
        externalId: caller.user.externalId,
        mayHaveWelcomeGrant: mayHaveWelcomeGrant(caller),
        model: body.model,
        input: body.input,
        priority: body.priority,
        webhookUrl: body.webhook_url ?? null,
        metadata: body.metadata,
        idempotency: idempotencyOf(call.request, body),
      })
      return {
        status: 202,
        headers: { ...pollHeaders(submitted.job), ...replayHeaders(submitted.isReplay) },
        body: {
          ...presentJob(deps, call.baseUrl, submitted.job),
          user_balance: submitted.userBalance,
          estimated_wait_seconds: submitted.estimatedWaitSeconds,
        },
      }
    }),
    { parse: 'none', detail: { hide: true } },
  )

/** A key that ships in an app sets no priority and sends nobody's server anywhere. */
function checkRights({ caller, body }: Call<typeof GENERATE>) {
  if (caller.key.kind === 'secret') return
  if (body.priority !== DEFAULT_PRIORITY || body.webhook_url !== undefined) {
    throw new AppError('forbidden', { detail: { required_scope: 'secret' } })
  }
}

function checkWebhookUrl(http: HttpDeps, url: string | undefined) {
  if (url === undefined) return
  const problem = checkDestination(url, http.deps.config.allowPrivateDestinations)
  if (problem) throw invalidInput('webhook_url', problem)
}

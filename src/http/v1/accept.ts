import { z } from 'zod'
import { AppError, invalidInput } from '@/base/errors'
import { invariant } from '@/base/invariant'
import { checkDestination } from '@/base/safe-fetch'
import * as jobs from '@/domain/jobs'
import { type Caller, mayHaveWelcomeGrant } from '../caller'
import type { HttpDeps } from '../guard'
import { replayHeaders } from '../idempotency'
import type { Operation } from '../operation'
import { pollHeaders, presentJob } from '../present'
import { AcceptedJobBody, IdempotencyKey, MetadataInput } from '../schemas'

const MAX_URL = 2_048
const DEFAULT_PRIORITY = 10

/** Whatever is asked for, and however: what else a call that starts a job may say. */
export const ORDER_FIELDS = {
  priority: z.int().min(1).max(100).optional().meta({
    description: '1 is first; by default as the plan of the user says, else 10. Secret keys only.',
  }),
  webhook_url: z.string().max(MAX_URL).optional().meta({ description: 'Secret keys only.' }),
  metadata: MetadataInput.default({}),
  idempotency_key: IdempotencyKey.optional(),
}
const Order = z.object(ORDER_FIELDS)

export const MODEL_NAME = z.string().min(1).max(100)

/** What every operation that starts a job says of itself. */
export const STARTS_A_JOB = {
  method: 'POST',
  tag: 'Jobs',
  access: { keys: 'any', user: 'required', counts: 'change' },
  isIdempotent: true,
  answers: {
    202: {
      description: 'Accepted: the tokens are held and the job is queued.',
      schema: AcceptedJobBody,
    },
  },
  errors: [
    'insufficient_tokens',
    'forbidden',
    'budget_exceeded',
    'user_deactivated',
    'model_not_found',
    'concurrency_limit',
    'daily_limit',
    'spend_limit',
    'idempotency_mismatch',
    'no_provider_available',
  ],
} as const satisfies Partial<Operation>

/** For the fingerprint of a call: to say the usual priority is to say none. */
export function plainly<B extends { priority?: number | undefined }>(body: B): B {
  return { ...body, priority: body.priority ?? DEFAULT_PRIORITY }
}

/** The usual one may be said by anybody. */
function isAsked(priority: number | undefined): boolean {
  return priority !== undefined && priority !== DEFAULT_PRIORITY
}

type OrderCall = { caller: Caller; body: z.output<typeof Order>; baseUrl: string }

/** A key that ships in an app sets no priority and sends nobody's server anywhere. Throws 403, and 400. */
export function checkOrder(http: HttpDeps, { caller, body }: OrderCall): void {
  const isBeyondAnApp = isAsked(body.priority) || body.webhook_url !== undefined
  if (caller.key.kind !== 'secret' && isBeyondAnApp) {
    throw new AppError('forbidden', { detail: { required_scope: 'secret' } })
  }
  if (body.webhook_url === undefined) return
  const problem = checkDestination(body.webhook_url, http.deps.config.allowPrivateDestinations)
  if (problem) throw invalidInput('webhook_url', problem)
}

/** Submits the job and answers it with what the user has left. */
export async function accept(
  { deps }: HttpDeps,
  { caller, body, baseUrl }: OrderCall,
  wanted: { model: string; input: unknown; idempotency: { key: string; hash: string } | null },
) {
  invariant(caller.user, 'the guard asked for a user')
  const submitted = await jobs.submit(deps, {
    ...wanted,
    realm: caller.realm,
    externalId: caller.user.externalId,
    mayHaveWelcomeGrant: mayHaveWelcomeGrant(caller),
    priority: body.priority ?? null,
    webhookUrl: body.webhook_url ?? null,
    metadata: body.metadata,
  })
  return {
    status: 202,
    headers: { ...pollHeaders(submitted.job), ...replayHeaders(submitted.isReplay) },
    body: {
      ...presentJob(deps, baseUrl, submitted.job),
      user_balance: submitted.userBalance,
      estimated_wait_seconds: submitted.estimatedWaitSeconds,
    },
  }
}

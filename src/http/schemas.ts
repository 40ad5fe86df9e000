import { z } from 'zod'
import { ERRORS } from '@/base/errors'
import type { ExplainedAttempt } from '@/domain/generation'
import { JOB_STATUSES } from '@/domain/jobs'
import { type Decision, STRATEGIES } from '@/domain/routing'
import { isExternalId } from '@/domain/users'

/**
 * The wire in schemas: those of requests check what comes in; those of answers are for the document and are
 * checked against every answer of the test run, not at run time.
 */
export const time = z
  .string()
  .meta({ format: 'date-time', description: 'ISO 8601, UTC, whole seconds' })
/** A time that a request names: with a fraction or an offset if it likes. */
export const TimeInput = z
  .string()
  .refine(text => z.iso.datetime({ offset: true }).safeParse(text).success, {
    error: 'must be a time like 2026-01-15T10:30:00Z',
  })
  .meta({ format: 'date-time', description: 'ISO 8601, with `Z` or an offset' })
const tokens = z.int()
/** The most that one call moves. */
export const MAX_TOKENS = 1_000_000_000
export const reason = z.string().min(1).max(500)
const mode = openWords(['live', 'test'])

/** Words that may grow: clients must take what they do not know. */
function openWords(words: readonly [string, ...string[]]) {
  return z.union([z.enum(words), z.string()])
}

export const ErrorBody = z
  .object({
    error: z.string().meta({ description: 'A sentence for people.' }),
    code: openWords(Object.keys(ERRORS) as [string, ...string[]]),
    request_id: z.string(),
    details: z
      .array(z.object({ path: z.string(), message: z.string() }).meta({ id: 'ErrorDetail' }))
      .optional()
      .meta({ description: 'Which fields are wrong, with dotted paths.' }),
    balance: tokens.optional(),
    required: tokens.optional(),
    required_scope: z.string().optional(),
    max_bytes: z.int().optional(),
    allowed: z.array(z.string()).optional(),
    retry_after: z.int().optional().meta({ description: 'Seconds.' }),
    limit: z.int().optional(),
    limit_name: openWords([
      'concurrent_jobs',
      'jobs_per_day',
      'tokens_per_day',
      'tokens_per_month',
      'micro_usd_per_day',
      'micro_usd_per_month',
    ])
      .optional()
      .meta({ description: 'Which limit of the plan; `limit` is its value.' }),
    resets_at: time.optional().meta({ description: 'When it may be tried again.' }),
    reason: z.string().optional().meta({ description: 'A sentence: what the plan leaves out.' }),
  })
  .meta({ id: 'Error' })

export const OutputBody = z
  .object({
    index: z.int(),
    url: z.string().nullable().meta({ description: 'Works without a key for at least 48 hours.' }),
    url_expires_at: time.nullable(),
    expires_at: time.nullable().meta({ description: 'When the file is deleted; null: never.' }),
    file_id: z.string().nullable(),
    text: z.string().nullable(),
    content_type: z.string().nullable(),
    width: z.int().nullable(),
    height: z.int().nullable(),
    duration_seconds: z.number().nullable(),
    bytes: z.int().nullable(),
  })
  .meta({ id: 'JobOutput' })

const jobFields = {
  job_id: z.string(),
  kind: openWords(['image', 'image_edit', 'video', 'upscale', 'text']),
  mode,
  status: z.enum(JOB_STATUSES).meta({ id: 'JobStatus' }),
  model: z.string(),
  user_id: z.string().nullable().meta({ description: 'Null when the user was erased.' }),
  progress: z.int(),
  queue_position: z.int().nullable(),
  poll_after_seconds: z
    .int()
    .nullable()
    .meta({ description: 'When to ask again; null when it has ended.' }),
  created_at: time,
  started_at: time.nullable(),
  completed_at: time.nullable(),
  outputs: z.array(OutputBody),
  tokens_charged: tokens,
  tokens_refunded: tokens,
  provider_used: z.string().nullable(),
  attempts: z.int(),
  metadata: z.record(z.string(), z.string()),
  error: z.string().nullable(),
  error_code: z
    .union([
      z.enum([
        'content_rejected',
        'invalid_for_provider',
        'provider_failed',
        'timeout',
        'output_unusable',
        'moderation_failed',
        'expired',
        'internal',
      ]),
      z.string(),
    ])
    .nullable(),
  retryable: z.boolean().nullable(),
}

const STATES = [
  'starting',
  'waiting',
  'produced',
  'succeeded',
  'refused',
  'failed',
  'unknown',
  'cancelled',
] as const satisfies ExplainedAttempt['state'][]
const ERROR_KINDS = [
  'rejected',
  'rate_limited',
  'unavailable',
  'unknown_outcome',
] as const satisfies ExplainedAttempt['errorKind'][]
const VERDICTS = [
  'chosen',
  'ready',
  'resting',
  'probing',
  'full',
  'tried',
  'refused',
] as const satisfies Decision['considered'][number]['verdict'][]

const ConsideredBody = z
  .object({
    provider: z.string(),
    provider_model: z.string(),
    priority: z.int().meta({ description: 'The lowest comes first.' }),
    verdict: openWords(VERDICTS),
    until: time.nullable().meta({ description: 'Until when it could not be taken, where known.' }),
    score: z.number().nullable().meta({
      description: 'What the strategy made of it, 0 to 1; null where it was not weighed.',
    }),
    success: z.number().nullable().meta({ description: 'Share of its jobs that ended well.' }),
    latency_ms: z.int().nullable(),
    cost_micro_usd: z.int().nullable(),
    quality: z.int().meta({ description: '0 to 100, as the catalogue says.' }),
    is_down: z
      .boolean()
      .meta({ description: 'The last checks of its provider failed: asked last.' }),
  })
  .meta({ id: 'ConsideredRoute' })

const AttemptBody = z
  .object({
    number: z.int(),
    provider: z.string(),
    provider_model: z.string(),
    state: openWords(STATES),
    reason: z.string().meta({ description: 'Why this provider, in words.' }),
    strategy: openWords(STRATEGIES).nullable(),
    considered: z.array(ConsideredBody).meta({
      description: 'Every route of the model, best first; none where nothing was weighed.',
    }),
    error_kind: openWords(ERROR_KINDS).nullable(),
    is_permanent: z
      .boolean()
      .meta({ description: 'The provider is not asked again for this job.' }),
    cost_micro_usd: z.int().nullable(),
    started_at: time,
    finished_at: time.nullable(),
  })
  .meta({ id: 'JobAttempt' })

export const JobBody = z
  .object({
    ...jobFields,
    routing: z
      .array(AttemptBody)
      .optional()
      .meta({ description: 'Only with `explain=1`: every try of the job, oldest first.' }),
  })
  .meta({ id: 'Job' })
export const AcceptedJobBody = z
  .object({
    ...jobFields,
    user_balance: tokens.meta({ description: 'What the user can spend now.' }),
    estimated_wait_seconds: z.int(),
  })
  .meta({ id: 'AcceptedJob' })

export const UserBody = z
  .object({
    external_id: z.string().nullable(),
    mode,
    token_balance: tokens.meta({ description: 'What can be spent; holds are already taken out.' }),
    tokens_reserved: tokens.meta({ description: 'Held by jobs that have not ended.' }),
    total_jobs: z.int(),
    successful_jobs: z.int(),
    metadata: z.record(z.string(), z.string()),
    is_active: z.boolean(),
    created_at: time,
  })
  .meta({ id: 'User' })

export const BalanceBody = z
  .object({
    available: tokens.meta({ description: 'What can be spent: bonus, purchased, subscription.' }),
    reserved: tokens.meta({ description: 'Held by jobs that have not ended.' }),
    bonus: tokens.meta({ description: 'Given: bonus, welcome, by the operator.' }),
    purchased: tokens.meta({ description: 'Bought: never expires, and is spent last.' }),
    subscription: tokens,
    total_allocated: tokens.meta({ description: 'Available and reserved.' }),
    owed: tokens.meta({ description: 'Taken from the next grants first.' }),
    next_expiry: z
      .object({ amount: tokens, at: time })
      .nullable()
      .meta({ description: 'What is lost first if nobody spends it.' }),
    next_replenishment_at: time.nullable().meta({
      description: 'When the plan brings tokens again.',
    }),
  })
  .meta({ id: 'Balance' })

export const EntryBody = z
  .object({
    id: z.string(),
    amount: tokens,
    balance_after: tokens,
    type: openWords([
      'GRANT',
      'GENERATION_DEBIT',
      'GENERATION_REFUND',
      'ADMIN_ADJUSTMENT',
      'BONUS',
      'EXPIRY',
      'FEATURE_DEBIT',
      'FEATURE_REFUND',
      'CLAWBACK',
      'DEBT',
      'DEBT_PAYMENT',
    ]),
    description: z.string(),
    job_id: z.string().nullable(),
    created_at: time,
  })
  .meta({ id: 'TokenEntry' })

export const ModelBody = z
  .object({
    name: z.string(),
    display_name: z.string(),
    kind: openWords(['image', 'image_edit', 'video', 'upscale', 'text']),
    family: z.string(),
    description: z.string(),
    token_cost: tokens,
    supports_images: z.boolean(),
    supports_prompt: z.boolean(),
    max_input_images: z.int(),
    supported_aspect_ratios: z.array(z.string()),
    input_schema: z
      .record(z.string(), z.unknown())
      .meta({ description: 'JSON Schema of `input` for this model.' }),
    available: z.boolean().meta({ description: 'Whether a job submitted now would be accepted.' }),
    unavailable_reason: z.string().nullable().optional(),
  })
  .meta({ id: 'Model' })

export const HealthBody = z
  .object({
    status: openWords(['healthy', 'degraded', 'unhealthy']),
    version: z.string(),
    checks: z
      .object({
        database: z.string(),
        storage: z.string(),
        runner: z.string(),
        providers: z.record(z.string(), z.string()).meta({
          description: 'Each that is in use: `healthy`, `degraded`, `down` or `unknown`.',
        }),
      })
      .meta({ id: 'HealthChecks' }),
  })
  .meta({ id: 'Health' })

export function listOf(item: z.ZodType, name: string) {
  return z
    .object({ data: z.array(item), has_more: z.boolean(), next_cursor: z.string().nullable() })
    .meta({ id: name })
}

export const ExternalId = z
  .string()
  .refine(isExternalId, {
    error: 'must be 1 to 128 of A-Z a-z 0-9 - _ . : @ | + = ~, and not a reserved word',
  })
  .meta({ description: 'Your own id of the user.' })

const MAX_METADATA_KEYS = 16
const MAX_METADATA_TEXT = 500
export const MetadataInput = z
  .record(z.string().min(1).max(MAX_METADATA_TEXT), z.string().max(MAX_METADATA_TEXT))
  .refine(metadata => Object.keys(metadata).length <= MAX_METADATA_KEYS, {
    error: `must have at most ${MAX_METADATA_KEYS} keys`,
  })

export const IdempotencyKey = z.string().min(1).max(255)

export const PageQuery = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(20)
    .meta({ description: 'How many, 1 to 100.' }),
  cursor: z.string().optional().meta({ description: 'The `next_cursor` of the page before.' }),
}

import { sql } from 'drizzle-orm'
import {
  foreignKey,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  unique,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core'
import type { AttemptId, FileId, JobId, ModelId, RealmId, RouteId, UserId } from '@/base/ids'
import { users } from './users'

export const JOB_STATUSES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const
export type JobStatus = (typeof JOB_STATUSES)[number]

export const ATTEMPT_STATES = [
  'starting',
  'waiting',
  'produced',
  'succeeded',
  'refused',
  'failed',
  'unknown',
  'cancelled',
] as const
export type AttemptState = (typeof ATTEMPT_STATES)[number]

/** What was asked for, what it was quoted at and how it went. `quote` and `metadata` are JSON. */
export const jobs = sqliteTable(
  'jobs',
  {
    id: integer('id').$type<JobId>().primaryKey(),
    realmId: integer('realm_id').$type<RealmId>().notNull(),
    userId: integer('user_id').$type<UserId>().notNull(),
    kind: text('kind').notNull(),
    modelId: integer('model_id').$type<ModelId>().notNull(),
    modelName: text('model_name').notNull(),
    status: text('status', { enum: JOB_STATUSES }).notNull(),
    priority: integer('priority').notNull(),
    numOutputs: integer('num_outputs').notNull(),
    quote: text('quote').notNull(),
    tokensCharged: integer('tokens_charged').notNull(),
    tokensRefunded: integer('tokens_refunded').notNull().default(0),
    providerUsed: text('provider_used'),
    attempts: integer('attempts').notNull().default(0),
    costMicroUsd: integer('cost_micro_usd').notNull().default(0),
    errorCode: text('error_code'),
    webhookUrl: text('webhook_url'),
    metadata: text('metadata').notNull(),
    idempotencyKey: text('idempotency_key'),
    requestHash: text('request_hash'),
    parentId: integer('parent_id').$type<JobId>(),
    rootId: integer('root_id').$type<JobId>(),
    step: text('step'),
    createdAt: integer('created_at').notNull(),
    startedAt: integer('started_at'),
    completedAt: integer('completed_at'),
    unservedSince: integer('unserved_since'),
    taken: text('taken'),
  },
  table => [
    foreignKey({
      columns: [table.realmId, table.userId],
      foreignColumns: [users.realmId, users.id],
    }),
    index('jobs_by_realm').on(table.realmId, table.id),
    index('jobs_by_user').on(table.userId, table.id),
    uniqueIndex('jobs_by_key')
      .on(table.userId, table.idempotencyKey)
      .where(sql`${table.idempotencyKey} IS NOT NULL`),
    index('jobs_active_by_realm')
      .on(table.realmId, table.id)
      .where(sql`${table.status} IN ('queued', 'running')`),
    index('jobs_active_by_user')
      .on(table.userId, table.id)
      .where(sql`${table.status} IN ('queued', 'running')`),
    index('jobs_ended_badly')
      .on(table.realmId, table.id)
      .where(sql`${table.status} IN ('failed', 'cancelled')`),
  ],
)
export type JobRow = typeof jobs.$inferSelect

/** The prompt apart: erased in one place, and a change of a job's state does not rewrite it. JSON. */
export const jobInputs = sqliteTable('job_inputs', {
  jobId: integer('job_id').$type<JobId>().primaryKey(),
  input: text('input').notNull(),
})
export type JobInputRow = typeof jobInputs.$inferSelect

/** What a job made: a file or a text, never both. */
export const jobOutputs = sqliteTable(
  'job_outputs',
  {
    jobId: integer('job_id').$type<JobId>().notNull(),
    position: integer('position').notNull(),
    fileId: integer('file_id').$type<FileId>(),
    text: text('text'),
  },
  table => [primaryKey({ columns: [table.jobId, table.position] })],
)
export type JobOutputRow = typeof jobOutputs.$inferSelect

/** One row for each try of a job at a provider. `operation`, `outputs`, `decision` and `usage` are JSON. */
export const attempts = sqliteTable(
  'attempts',
  {
    id: integer('id').$type<AttemptId>().primaryKey(),
    jobId: integer('job_id').$type<JobId>().notNull(),
    number: integer('number').notNull(),
    provider: text('provider').notNull(),
    providerModel: text('provider_model').notNull(),
    reason: text('reason').notNull(),
    state: text('state', { enum: ATTEMPT_STATES }).notNull(),
    operation: text('operation'),
    outputs: text('outputs'),
    firstFileId: integer('first_file_id').$type<FileId>().notNull(),
    errorKind: text('error_kind'),
    errorMessage: text('error_message'),
    costMicroUsd: integer('cost_micro_usd'),
    startedAt: integer('started_at').notNull(),
    deadlineAt: integer('deadline_at').notNull(),
    finishedAt: integer('finished_at'),
    routeId: integer('route_id').$type<RouteId>(),
    decision: text('decision'),
    isPermanent: integer('is_permanent', { mode: 'boolean' }).notNull().default(false),
    retryAt: integer('retry_at'),
    usage: text('usage'),
  },
  table => [
    unique().on(table.jobId, table.number),
    index('attempts_open_by_route')
      .on(table.routeId)
      .where(sql`${table.routeId} IS NOT NULL AND ${table.state} IN ('starting', 'waiting')`),
  ],
)
export type AttemptRow = typeof attempts.$inferSelect

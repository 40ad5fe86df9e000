import { integer, real, sqliteTable, text, unique } from 'drizzle-orm/sqlite-core'
import type { AttemptId, ModelId, ProviderId, RouteId } from '@/base/ids'

// `seed_hash` is what a seed last wrote into a row: a seed changes only what no operator changed.

export const PROVIDER_HEALTHS = ['unknown', 'healthy', 'degraded', 'down'] as const
export type ProviderHealth = (typeof PROVIDER_HEALTHS)[number]

/** The vendors, our keys there (sealed, or in the environment) and how the last checks went. */
export const providers = sqliteTable('providers', {
  id: integer('id').$type<ProviderId>().primaryKey(),
  name: text('name').notNull().unique(),
  displayName: text('display_name').notNull(),
  isEnabled: integer('is_enabled', { mode: 'boolean' }).notNull(),
  seedHash: text('seed_hash'),
  createdAt: integer('created_at').notNull(),
  updatedAt: integer('updated_at').notNull(),
  apiKeyEnvVar: text('api_key_env_var'),
  apiKeySealed: text('api_key_sealed'),
  webhookSecretSealed: text('webhook_secret_sealed'),
  health: text('health', { enum: PROVIDER_HEALTHS }).notNull().default('unknown'),
  healthMessage: text('health_message'),
  checkedAt: integer('checked_at'),
  checkFailures: integer('check_failures').notNull().default(0),
})
export type ProviderRow = typeof providers.$inferSelect

/** What is sold. `aspect_ratios` and `input_schema` are JSON. */
export const models = sqliteTable('models', {
  id: integer('id').$type<ModelId>().primaryKey(),
  name: text('name').notNull().unique(),
  displayName: text('display_name').notNull(),
  kind: text('kind').notNull(),
  family: text('family').notNull(),
  description: text('description').notNull(),
  tokenCost: integer('token_cost').notNull(),
  maxInputImages: integer('max_input_images').notNull(),
  supportsPrompt: integer('supports_prompt', { mode: 'boolean' }).notNull(),
  aspectRatios: text('aspect_ratios').notNull(),
  inputSchema: text('input_schema').notNull(),
  isEnabled: integer('is_enabled', { mode: 'boolean' }).notNull(),
  seedHash: text('seed_hash'),
  createdAt: integer('created_at').notNull(),
  updatedAt: integer('updated_at').notNull(),
  strategy: text('strategy'),
})
export type ModelRow = typeof models.$inferSelect

/** Which provider serves a model, and under what name there. `config` is JSON. */
export const modelRoutes = sqliteTable(
  'model_routes',
  {
    id: integer('id').$type<RouteId>().primaryKey(),
    modelId: integer('model_id')
      .$type<ModelId>()
      .notNull()
      .references(() => models.id),
    providerId: integer('provider_id')
      .$type<ProviderId>()
      .notNull()
      .references(() => providers.id),
    providerModel: text('provider_model').notNull(),
    priority: integer('priority').notNull(),
    config: text('config').notNull(),
    isEnabled: integer('is_enabled', { mode: 'boolean' }).notNull(),
    seedHash: text('seed_hash'),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    maxConcurrent: integer('max_concurrent'),
    quality: integer('quality'),
  },
  table => [unique().on(table.modelId, table.providerId)],
)
export type ModelRouteRow = typeof modelRoutes.$inferSelect

/** What was learnt of a route, as averages that forget, and whether it rests. */
export const routeMetrics = sqliteTable('route_metrics', {
  routeId: integer('route_id')
    .$type<RouteId>()
    .primaryKey()
    .references(() => modelRoutes.id),
  samples: integer('samples').notNull(),
  success: real('success').notNull(),
  latencyMs: real('latency_ms'),
  costMicroUsd: real('cost_micro_usd'),
  failures: integer('failures').notNull(),
  rests: integer('rests').notNull(),
  restingUntil: integer('resting_until'),
  restReason: text('rest_reason'),
  probeUntil: integer('probe_until'),
  probeAttemptId: integer('probe_attempt_id').$type<AttemptId>(),
  updatedAt: integer('updated_at').notNull(),
})
export type RouteMetricsRow = typeof routeMetrics.$inferSelect

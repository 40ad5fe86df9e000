import { integer, sqliteTable, text, unique } from 'drizzle-orm/sqlite-core'
import type { ModelId, ProviderId } from '@/base/ids'

// `seed_hash` is what a seed last wrote into a row: a seed changes only what no operator changed.

/** The vendors. */
export const providers = sqliteTable('providers', {
  id: integer('id').$type<ProviderId>().primaryKey(),
  name: text('name').notNull().unique(),
  displayName: text('display_name').notNull(),
  isEnabled: integer('is_enabled', { mode: 'boolean' }).notNull(),
  seedHash: text('seed_hash'),
  createdAt: integer('created_at').notNull(),
  updatedAt: integer('updated_at').notNull(),
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
})
export type ModelRow = typeof models.$inferSelect

/** Which provider serves a model, and under what name there. `config` is JSON. */
export const modelRoutes = sqliteTable(
  'model_routes',
  {
    id: integer('id').primaryKey(),
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
  },
  table => [unique().on(table.modelId, table.providerId)],
)
export type ModelRouteRow = typeof modelRoutes.$inferSelect

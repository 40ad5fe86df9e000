import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { ModelId, RealmId, UserId } from '@/base/ids'

/** What is added up, in both tables. */
const sums = {
  jobs: integer('jobs').notNull(),
  succeeded: integer('succeeded').notNull(),
  failed: integer('failed').notNull(),
  cancelled: integer('cancelled').notNull(),
  outputs: integer('outputs').notNull(),
  tokens: integer('tokens').notNull(),
  costMicroUsd: integer('cost_micro_usd').notNull(),
  durationMs: integer('duration_ms').notNull(),
}

/** Sums over the jobs that ended on a day, kept in the same transaction that ends each of them. */
export const usageDaily = sqliteTable(
  'usage_daily',
  {
    realmId: integer('realm_id').$type<RealmId>().notNull(),
    day: integer('day').notNull(),
    userId: integer('user_id').$type<UserId>().notNull(),
    modelId: integer('model_id').$type<ModelId>().notNull(),
    provider: text('provider').notNull(),
    ...sums,
  },
  table => [
    primaryKey({
      columns: [table.realmId, table.day, table.userId, table.modelId, table.provider],
    }),
  ],
)
export type UsageDailyRow = typeof usageDaily.$inferSelect

/** The same without the users, so that what a report reads does not grow with their number. */
export const usageDailyTotal = sqliteTable(
  'usage_daily_total',
  {
    realmId: integer('realm_id').$type<RealmId>().notNull(),
    day: integer('day').notNull(),
    modelId: integer('model_id').$type<ModelId>().notNull(),
    provider: text('provider').notNull(),
    ...sums,
  },
  table => [primaryKey({ columns: [table.realmId, table.day, table.modelId, table.provider] })],
)
export type UsageDailyTotalRow = typeof usageDailyTotal.$inferSelect

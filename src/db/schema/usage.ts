import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { ModelId, RealmId, UserId } from '@/base/ids'

/** Sums over the jobs that ended on a day, kept in the same transaction that ends each of them. */
export const usageDaily = sqliteTable(
  'usage_daily',
  {
    realmId: integer('realm_id').$type<RealmId>().notNull(),
    day: integer('day').notNull(),
    modelId: integer('model_id').$type<ModelId>().notNull(),
    provider: text('provider').notNull(),
    userId: integer('user_id').$type<UserId>().notNull(),
    jobs: integer('jobs').notNull(),
    succeeded: integer('succeeded').notNull(),
    failed: integer('failed').notNull(),
    cancelled: integer('cancelled').notNull(),
    outputs: integer('outputs').notNull(),
    tokens: integer('tokens').notNull(),
    costMicroUsd: integer('cost_micro_usd').notNull(),
    durationMs: integer('duration_ms').notNull(),
  },
  table => [
    primaryKey({
      columns: [table.realmId, table.day, table.modelId, table.provider, table.userId],
    }),
  ],
)
export type UsageDailyRow = typeof usageDaily.$inferSelect

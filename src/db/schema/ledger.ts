import { sql } from 'drizzle-orm'
import {
  foreignKey,
  integer,
  primaryKey,
  sqliteTable,
  text,
  unique,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core'
import type { EntryId, HoldId, JobId, RealmId, UserId } from '@/base/ids'
import { users } from './users'

export const HOLD_STATES = ['open', 'settled', 'voided'] as const
export type HoldState = (typeof HOLD_STATES)[number]

/** Tokens reserved for a job until it is known what it costs. */
export const holds = sqliteTable(
  'holds',
  {
    id: integer('id').$type<HoldId>().primaryKey(),
    realmId: integer('realm_id').$type<RealmId>().notNull(),
    userId: integer('user_id').$type<UserId>().notNull(),
    jobId: integer('job_id').$type<JobId>().notNull(),
    purpose: text('purpose').notNull(),
    amount: integer('amount').notNull(),
    state: text('state', { enum: HOLD_STATES }).notNull(),
    settledAmount: integer('settled_amount'),
    createdAt: integer('created_at').notNull(),
    resolvedAt: integer('resolved_at'),
  },
  table => [
    unique().on(table.jobId, table.purpose),
    foreignKey({
      columns: [table.realmId, table.userId],
      foreignColumns: [users.realmId, users.id],
    }),
  ],
)
export type HoldRow = typeof holds.$inferSelect

/** The ledger: append-only, kept so by triggers. */
export const tokenEntries = sqliteTable(
  'token_entries',
  {
    userId: integer('user_id').$type<UserId>().notNull(),
    id: integer('id').$type<EntryId>().notNull(),
    realmId: integer('realm_id').$type<RealmId>().notNull(),
    amount: integer('amount').notNull(),
    balanceAfter: integer('balance_after').notNull(),
    type: text('type').notNull(),
    holdId: integer('hold_id').$type<HoldId>(),
    jobId: integer('job_id').$type<JobId>(),
    source: text('source'),
    sourceId: text('source_id'),
    description: text('description').notNull(),
    idempotencyKey: text('idempotency_key'),
    requestHash: text('request_hash'),
    createdAt: integer('created_at').notNull(),
  },
  table => [
    primaryKey({ columns: [table.userId, table.id] }),
    foreignKey({
      columns: [table.realmId, table.userId],
      foreignColumns: [users.realmId, users.id],
    }),
    uniqueIndex('token_entries_by_hold')
      .on(table.holdId, table.type)
      .where(sql`${table.holdId} IS NOT NULL`),
    uniqueIndex('token_entries_by_source')
      .on(table.source, table.sourceId)
      .where(sql`${table.source} IS NOT NULL`),
    uniqueIndex('token_entries_by_key')
      .on(table.idempotencyKey)
      .where(sql`${table.idempotencyKey} IS NOT NULL`),
  ],
)
export type TokenEntryRow = typeof tokenEntries.$inferSelect

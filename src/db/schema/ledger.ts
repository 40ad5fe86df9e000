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
import type { BucketId, EntryId, HoldId, JobId, RealmId, UserId } from '@/base/ids'
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
    bucketId: integer('bucket_id').$type<BucketId>(),
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

/** `expires_at` of a bucket that never expires: the last time that a date can hold. */
export const NEVER = 8_640_000_000_000_000

/** Grants that are not plain; spent in the order of `expires_at`. */
export const tokenBuckets = sqliteTable(
  'token_buckets',
  {
    id: integer('id').$type<BucketId>().primaryKey(),
    realmId: integer('realm_id').$type<RealmId>().notNull(),
    userId: integer('user_id').$type<UserId>().notNull(),
    origin: text('origin').notNull(),
    granted: integer('granted').notNull(),
    remaining: integer('remaining').notNull(),
    expiresAt: integer('expires_at').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  table => [
    foreignKey({
      columns: [table.realmId, table.userId],
      foreignColumns: [users.realmId, users.id],
    }),
    index('token_buckets_spendable')
      .on(table.userId, table.expiresAt, table.id)
      .where(sql`${table.remaining} > 0`),
    index('token_buckets_expiring')
      .on(table.expiresAt)
      .where(sql`${table.remaining} > 0 AND ${table.expiresAt} < 8640000000000000`),
  ],
)
export type TokenBucketRow = typeof tokenBuckets.$inferSelect

/** What a hold took from which bucket, and what came back. */
export const holdParts = sqliteTable(
  'hold_parts',
  {
    holdId: integer('hold_id')
      .$type<HoldId>()
      .notNull()
      .references(() => holds.id),
    bucketId: integer('bucket_id')
      .$type<BucketId>()
      .notNull()
      .references(() => tokenBuckets.id),
    amount: integer('amount').notNull(),
    returned: integer('returned').notNull().default(0),
  },
  table => [primaryKey({ columns: [table.holdId, table.bucketId] })],
)
export type HoldPartRow = typeof holdParts.$inferSelect

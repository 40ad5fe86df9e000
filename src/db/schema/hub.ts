import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, unique } from 'drizzle-orm/sqlite-core'
import type { AttemptId, RealmId, UserId } from '@/base/ids'

/** One row: the highest id and time ever given out, and the check value of the secret key. */
export const hub = sqliteTable('hub', {
  id: integer('id').primaryKey(),
  lastId: integer('last_id').notNull(),
  lastMs: integer('last_ms').notNull(),
  keyCheck: text('key_check'),
  createdAt: integer('created_at').notNull(),
})
export type HubRow = typeof hub.$inferSelect

/** What an operator may change while the hub runs. `value` is JSON. */
export const settings = sqliteTable('settings', {
  name: text('name').primaryKey(),
  value: text('value').notNull(),
  updatedAt: integer('updated_at').notNull(),
})
export type SettingRow = typeof settings.$inferSelect

/** Who changed what, from which door. `details` is JSON. */
export const auditLog = sqliteTable('audit_log', {
  id: integer('id').primaryKey(),
  actorKind: text('actor_kind').notNull(),
  actorId: text('actor_id').notNull(),
  realmId: integer('realm_id').$type<RealmId>(),
  action: text('action').notNull(),
  subject: text('subject').notNull(),
  details: text('details').notNull(),
  ip: text('ip'),
  requestId: text('request_id'),
  createdAt: integer('created_at').notNull(),
})
export type AuditLogRow = typeof auditLog.$inferSelect

/** First 2xx answers of creations whose own row carries no key. `answer` is JSON. */
export const idempotencyKeys = sqliteTable(
  'idempotency_keys',
  {
    realmId: integer('realm_id').$type<RealmId>().notNull(),
    userId: integer('user_id').$type<UserId>().notNull(),
    operation: text('operation').notNull(),
    key: text('key').notNull(),
    requestHash: text('request_hash').notNull(),
    status: integer('status').notNull(),
    answer: text('answer').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  table => [
    primaryKey({ columns: [table.realmId, table.userId, table.operation, table.key] }),
    index('idempotency_keys_by_age').on(table.createdAt),
  ],
)
export type IdempotencyKeyRow = typeof idempotencyKeys.$inferSelect

/** What of a cap is used up in a period. */
export const counters = sqliteTable(
  'counters',
  {
    realmId: integer('realm_id').$type<RealmId>().notNull(),
    userId: integer('user_id').$type<UserId>().notNull(),
    name: text('name').notNull(),
    period: text('period').notNull(),
    used: integer('used').notNull(),
  },
  table => [primaryKey({ columns: [table.realmId, table.userId, table.name, table.period] })],
)
export type CounterRow = typeof counters.$inferSelect

/** What vendors and stores call us with: kept raw, answered at once, handled by a task. */
export const inbox = sqliteTable(
  'inbox',
  {
    id: integer('id').primaryKey(),
    provider: text('provider').notNull(),
    eventId: text('event_id').notNull(),
    attemptId: integer('attempt_id').$type<AttemptId>(),
    body: text('body').notNull(),
    receivedAt: integer('received_at').notNull(),
    handledAt: integer('handled_at'),
  },
  table => [
    unique().on(table.provider, table.eventId),
    index('inbox_by_attempt').on(table.attemptId).where(sql`${table.attemptId} IS NOT NULL`),
  ],
)
export type InboxRow = typeof inbox.$inferSelect

import {
  blob,
  foreignKey,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  unique,
} from 'drizzle-orm/sqlite-core'
import type { RealmId, UserId } from '@/base/ids'
import { realms } from './apps'

/** An app's end users with their tokens. `metadata` is JSON. */
export const users = sqliteTable(
  'users',
  {
    id: integer('id').$type<UserId>().primaryKey(),
    realmId: integer('realm_id')
      .$type<RealmId>()
      .notNull()
      .references(() => realms.id),
    externalId: text('external_id'),
    balance: integer('balance').notNull().default(0),
    reserved: integer('reserved').notNull().default(0),
    owed: integer('owed').notNull().default(0),
    totalJobs: integer('total_jobs').notNull().default(0),
    successfulJobs: integer('successful_jobs').notNull().default(0),
    metadata: text('metadata').notNull().default('{}'),
    isActive: integer('is_active', { mode: 'boolean' }).notNull().default(true),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    erasedAt: integer('erased_at'),
    bucketed: integer('bucketed').notNull().default(0),
  },
  // Unique already by `id`: this is what the composite references of other tables point to.
  table => [unique().on(table.realmId, table.id)],
)
export type UserRow = typeof users.$inferSelect

/** Under which names a user is known. The app's own id for the user is the kind `external`. */
export const userIdentities = sqliteTable(
  'user_identities',
  {
    realmId: integer('realm_id').$type<RealmId>().notNull(),
    kind: text('kind').notNull(),
    subject: text('subject').notNull(),
    userId: integer('user_id').$type<UserId>().notNull(),
    createdAt: integer('created_at').notNull(),
  },
  table => [
    primaryKey({ columns: [table.realmId, table.kind, table.subject] }),
    foreignKey({
      columns: [table.realmId, table.userId],
      foreignColumns: [users.realmId, users.id],
    }),
    index('user_identities_by_user').on(table.userId),
  ],
)
export type UserIdentityRow = typeof userIdentities.$inferSelect

/** Salted hashes of erased people's ids, so that coming back is not a second welcome grant. */
export const erasedUsers = sqliteTable(
  'erased_users',
  {
    realmId: integer('realm_id').$type<RealmId>().notNull(),
    hash: blob('hash', { mode: 'buffer' }).notNull(),
    erasedAt: integer('erased_at').notNull(),
  },
  table => [primaryKey({ columns: [table.realmId, table.hash] })],
)
export type ErasedUserRow = typeof erasedUsers.$inferSelect

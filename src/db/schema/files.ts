import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { FileId, JobId, RealmId, UserId } from '@/base/ids'

/** Uploads and outputs. The bytes are in the storage, under the file's id. */
export const files = sqliteTable(
  'files',
  {
    id: integer('id').$type<FileId>().primaryKey(),
    realmId: integer('realm_id').$type<RealmId>().notNull(),
    userId: integer('user_id').$type<UserId>().notNull(),
    jobId: integer('job_id').$type<JobId>(),
    purpose: text('purpose').notNull(),
    contentType: text('content_type').notNull(),
    bytes: integer('bytes').notNull(),
    width: integer('width'),
    height: integer('height'),
    durationMs: integer('duration_ms'),
    sha256: text('sha256').notNull(),
    // Set before the bytes are deleted, so that a crash in between leaves no row that promises them.
    isDoomed: integer('is_doomed', { mode: 'boolean' }).notNull().default(false),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at'),
  },
  table => [index('files_by_user').on(table.userId, table.id)],
)
export type FileRow = typeof files.$inferSelect

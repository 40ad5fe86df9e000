import { sql } from 'drizzle-orm'
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { TaskId } from '@/base/ids'

export const TASK_STATES = ['scheduled', 'ready', 'claimed'] as const
export type TaskState = (typeof TASK_STATES)[number]

/** The queue: what must still happen. A finished task has no row. `payload` is JSON. */
export const tasks = sqliteTable(
  'tasks',
  {
    id: integer('id').$type<TaskId>().primaryKey(),
    kind: text('kind').notNull(),
    pool: text('pool').notNull(),
    lane: integer('lane').notNull(),
    priority: integer('priority').notNull(),
    payload: text('payload').notNull(),
    state: text('state', { enum: TASK_STATES }).notNull(),
    runAt: integer('run_at'),
    claimToken: integer('claim_token'),
    bootId: integer('boot_id'),
    failures: integer('failures').notNull().default(0),
    deaths: integer('deaths').notNull().default(0),
    uniqueKey: text('unique_key'),
    createdAt: integer('created_at').notNull(),
  },
  table => [
    index('tasks_scheduled').on(table.runAt).where(sql`${table.state} = 'scheduled'`),
    index('tasks_ready')
      .on(table.pool, table.lane, table.priority, table.id)
      .where(sql`${table.state} = 'ready'`),
    index('tasks_claimed').on(table.bootId).where(sql`${table.state} = 'claimed'`),
    uniqueIndex('tasks_by_key').on(table.uniqueKey).where(sql`${table.uniqueKey} IS NOT NULL`),
  ],
)
export type TaskRow = typeof tasks.$inferSelect

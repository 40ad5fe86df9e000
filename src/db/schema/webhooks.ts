import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { DeliveryId, EndpointId, EventId, JobId, RealmId } from '@/base/ids'
import { realms } from './apps'

export const DELIVERY_STATES = ['pending', 'delivered', 'dead'] as const
export type DeliveryState = (typeof DELIVERY_STATES)[number]

/** Facts that somebody may listen to, in the order in which they happened. `data` is JSON, of those about no job. */
export const events = sqliteTable('events', {
  id: integer('id').$type<EventId>().primaryKey(),
  realmId: integer('realm_id').$type<RealmId>().notNull(),
  type: text('type').notNull(),
  jobId: integer('job_id').$type<JobId>(),
  createdAt: integer('created_at').notNull(),
  data: text('data'),
})
export type EventRow = typeof events.$inferSelect

/** Where an app wants to hear of all its events. */
export const webhookEndpoints = sqliteTable(
  'webhook_endpoints',
  {
    id: integer('id').$type<EndpointId>().primaryKey(),
    realmId: integer('realm_id')
      .$type<RealmId>()
      .notNull()
      .references(() => realms.id),
    url: text('url').notNull(),
    isEnabled: integer('is_enabled', { mode: 'boolean' }).notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  table => [index('webhook_endpoints_by_realm').on(table.realmId, table.id)],
)
export type WebhookEndpointRow = typeof webhookEndpoints.$inferSelect

/** One event for one address. `body` is never parsed again: every try sends the same bytes. */
export const webhookDeliveries = sqliteTable(
  'webhook_deliveries',
  {
    id: integer('id').$type<DeliveryId>().primaryKey(),
    realmId: integer('realm_id').$type<RealmId>().notNull(),
    eventId: integer('event_id').$type<EventId>().notNull(),
    jobId: integer('job_id').$type<JobId>(),
    endpointId: integer('endpoint_id').$type<EndpointId>(),
    url: text('url').notNull(),
    body: text('body').notNull(),
    state: text('state', { enum: DELIVERY_STATES }).notNull(),
    tries: integer('tries').notNull().default(0),
    lastStatus: integer('last_status'),
    lastError: text('last_error'),
    lastAnswer: text('last_answer'),
    lastTriedAt: integer('last_tried_at'),
    createdAt: integer('created_at').notNull(),
    finishedAt: integer('finished_at'),
  },
  table => [index('webhook_deliveries_by_job').on(table.jobId)],
)
export type WebhookDeliveryRow = typeof webhookDeliveries.$inferSelect

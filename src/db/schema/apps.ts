import { blob, index, integer, sqliteTable, text, unique } from 'drizzle-orm/sqlite-core'
import type { AppId, KeyId, PlanId, RealmId } from '@/base/ids'

export const REALM_MODES = ['live', 'test'] as const
export type RealmMode = (typeof REALM_MODES)[number]

export const KEY_KINDS = ['secret', 'publishable'] as const
export type KeyKind = (typeof KEY_KINDS)[number]

/** What happens at the end of a budget. */
export const BUDGET_ACTIONS = ['refuse', 'warn'] as const
export type BudgetAction = (typeof BUDGET_ACTIONS)[number]

/** The tenants. */
export const apps = sqliteTable('apps', {
  id: integer('id').$type<AppId>().primaryKey(),
  name: text('name').notNull(),
  slug: text('slug').notNull().unique(),
  keyPrefix: text('key_prefix').notNull(),
  welcomeGrant: integer('welcome_grant').notNull(),
  rateLimitPerUser: integer('rate_limit_per_user').notNull(),
  rateLimitPerApp: integer('rate_limit_per_app').notNull(),
  isEnabled: integer('is_enabled', { mode: 'boolean' }).notNull(),
  createdAt: integer('created_at').notNull(),
  updatedAt: integer('updated_at').notNull(),
  strategy: text('strategy'),
  timeZone: text('time_zone').notNull().default('UTC'),
  monthlyBudgetMicroUsd: integer('monthly_budget_micro_usd'),
  budgetAction: text('budget_action', { enum: BUDGET_ACTIONS }).notNull().default('refuse'),
  lowBalanceThreshold: integer('low_balance_threshold'),
})
export type AppRow = typeof apps.$inferSelect

/** The live and the test side of an app. Every row of a tenant belongs to one of them. */
export const realms = sqliteTable(
  'realms',
  {
    id: integer('id').$type<RealmId>().primaryKey(),
    appId: integer('app_id')
      .$type<AppId>()
      .notNull()
      .references(() => apps.id),
    mode: text('mode', { enum: REALM_MODES }).notNull(),
    webhookSecretSealed: text('webhook_secret_sealed').notNull(),
    defaultPlanId: integer('default_plan_id').$type<PlanId>(),
  },
  table => [unique().on(table.appId, table.mode)],
)
export type RealmRow = typeof realms.$inferSelect

/** Only the SHA-256 of a key is kept, and the first characters to show. `scopes` is JSON. */
export const apiKeys = sqliteTable(
  'api_keys',
  {
    id: integer('id').$type<KeyId>().primaryKey(),
    realmId: integer('realm_id')
      .$type<RealmId>()
      .notNull()
      .references(() => realms.id),
    kind: text('kind', { enum: KEY_KINDS }).notNull(),
    hash: blob('hash', { mode: 'buffer' }).notNull().unique(),
    display: text('display').notNull(),
    scopes: text('scopes'),
    createdAt: integer('created_at').notNull(),
    lastUsedAt: integer('last_used_at'),
    expiresAt: integer('expires_at'),
    revokedAt: integer('revoked_at'),
  },
  table => [index('api_keys_by_realm').on(table.realmId, table.id)],
)
export type ApiKeyRow = typeof apiKeys.$inferSelect

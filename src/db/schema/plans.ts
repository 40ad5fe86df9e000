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
import type { PlanId, RealmId, SubscriptionId, UserId } from '@/base/ids'
import { realms } from './apps'
import { users } from './users'

export const PERIODS = ['day', 'week', 'month'] as const
export type Period = (typeof PERIODS)[number]

/** What an app sells its users. Null limits are none; `models` and `kinds` are JSON lists. */
export const plans = sqliteTable(
  'plans',
  {
    id: integer('id').$type<PlanId>().primaryKey(),
    realmId: integer('realm_id')
      .$type<RealmId>()
      .notNull()
      .references(() => realms.id),
    name: text('name').notNull(),
    displayName: text('display_name').notNull(),
    tokensPerPeriod: integer('tokens_per_period').notNull(),
    period: text('period', { enum: PERIODS }).notNull(),
    isRollover: integer('is_rollover', { mode: 'boolean' }).notNull(),
    maxConcurrent: integer('max_concurrent'),
    jobsPerDay: integer('jobs_per_day'),
    tokensPerDay: integer('tokens_per_day'),
    tokensPerMonth: integer('tokens_per_month'),
    microUsdPerDay: integer('micro_usd_per_day'),
    microUsdPerMonth: integer('micro_usd_per_month'),
    models: text('models'),
    kinds: text('kinds'),
    strategy: text('strategy'),
    priority: integer('priority'),
    hasWatermark: integer('has_watermark', { mode: 'boolean' }).notNull(),
    maxUploadBytes: integer('max_upload_bytes'),
    isEnabled: integer('is_enabled', { mode: 'boolean' }).notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  table => [unique().on(table.realmId, table.name)],
)
export type PlanRow = typeof plans.$inferSelect

export const SUBSCRIPTION_STATES = ['active', 'ended'] as const
export type SubscriptionState = (typeof SUBSCRIPTION_STATES)[number]

/** A user's plan. Period k runs from anchor + k periods to anchor + (k + 1), by the calendar. */
export const subscriptions = sqliteTable(
  'subscriptions',
  {
    id: integer('id').$type<SubscriptionId>().primaryKey(),
    realmId: integer('realm_id').$type<RealmId>().notNull(),
    userId: integer('user_id').$type<UserId>().notNull(),
    planId: integer('plan_id')
      .$type<PlanId>()
      .notNull()
      .references(() => plans.id),
    nextPlanId: integer('next_plan_id')
      .$type<PlanId>()
      .references(() => plans.id),
    state: text('state', { enum: SUBSCRIPTION_STATES }).notNull(),
    source: text('source').notNull(),
    anchorAt: integer('anchor_at').notNull(),
    periodNumber: integer('period_number').notNull(),
    periodStart: integer('period_start').notNull(),
    periodEnd: integer('period_end').notNull(),
    periodTokens: integer('period_tokens').notNull(),
    isCancelled: integer('is_cancelled', { mode: 'boolean' }).notNull().default(false),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    endedAt: integer('ended_at'),
  },
  table => [
    foreignKey({
      columns: [table.realmId, table.userId],
      foreignColumns: [users.realmId, users.id],
    }),
    uniqueIndex('subscriptions_active').on(table.userId).where(sql`${table.state} = 'active'`),
    index('subscriptions_due').on(table.periodEnd).where(sql`${table.state} = 'active'`),
    index('subscriptions_by_user').on(table.userId, table.id),
    index('subscriptions_by_plan').on(table.planId),
    index('subscriptions_by_next_plan')
      .on(table.nextPlanId)
      .where(sql`${table.nextPlanId} IS NOT NULL`),
  ],
)
export type SubscriptionRow = typeof subscriptions.$inferSelect

/** Prices as data: a rule is never changed, a new version replaces it. `rule` is JSON. */
export const pricingRules = sqliteTable(
  'pricing_rules',
  {
    id: integer('id').primaryKey(),
    realmId: integer('realm_id').notNull(),
    subject: text('subject').notNull(),
    version: integer('version').notNull(),
    rule: text('rule').notNull(),
    createdAt: integer('created_at').notNull(),
    replacedAt: integer('replaced_at'),
  },
  table => [
    unique().on(table.realmId, table.subject, table.version),
    uniqueIndex('pricing_rules_in_force')
      .on(table.realmId, table.subject)
      .where(sql`${table.replacedAt} IS NULL`),
  ],
)
export type PricingRuleRow = typeof pricingRules.$inferSelect

/** Each threshold of a budget is said once a month; realm 0 is the hub. */
export const budgetAlerts = sqliteTable(
  'budget_alerts',
  {
    realmId: integer('realm_id').notNull(),
    month: integer('month').notNull(),
    percent: integer('percent').notNull(),
    spentMicroUsd: integer('spent_micro_usd').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  table => [primaryKey({ columns: [table.realmId, table.month, table.percent] })],
)
export type BudgetAlertRow = typeof budgetAlerts.$inferSelect

/** What the operator is told, at his own address: the same bytes until a 2xx. */
export const operatorEvents = sqliteTable('operator_events', {
  id: integer('id').primaryKey(),
  type: text('type').notNull(),
  body: text('body').notNull(),
  tries: integer('tries').notNull().default(0),
  lastStatus: integer('last_status'),
  createdAt: integer('created_at').notNull(),
  deliveredAt: integer('delivered_at'),
})
export type OperatorEventRow = typeof operatorEvents.$inferSelect

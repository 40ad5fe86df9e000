import { z } from 'zod'
import { MAX_DISPLAY_NAME, MAX_LISTED, PLAN_NUMBERS, type PlanFields } from '@/domain/plans'
import { STRATEGIES } from '@/domain/routing'
import { time } from '../schemas'

const PERIOD_WORDS = ['day', 'week', 'month'] as const satisfies PlanFields['period'][]

const number = (name: keyof typeof PLAN_NUMBERS) =>
  z.int().min(PLAN_NUMBERS[name].min).max(PLAN_NUMBERS[name].max)
const limit = (name: keyof typeof PLAN_NUMBERS) => number(name).nullable().optional()
const names = z.array(z.string().min(1).max(128)).min(1).max(MAX_LISTED).nullable().optional()

/** What can be said of a plan, when it is made and later. A limit that is null is none. */
export const PlanInput = {
  display_name: z.string().min(1).max(MAX_DISPLAY_NAME).optional(),
  tokens_per_period: number('tokens_per_period').optional(),
  is_rollover: z
    .boolean()
    .optional()
    .meta({ description: 'True: what a period leaves over stays, for ever.' }),
  max_concurrent: limit('max_concurrent'),
  jobs_per_day: limit('jobs_per_day'),
  tokens_per_day: limit('tokens_per_day'),
  tokens_per_month: limit('tokens_per_month'),
  micro_usd_per_day: limit('micro_usd_per_day'),
  micro_usd_per_month: limit('micro_usd_per_month'),
  models: names.meta({ description: 'Names of the catalogue; null: all.' }),
  kinds: names.meta({ description: 'Kinds of jobs; null: all.' }),
  strategy: z.enum(STRATEGIES).nullable().optional(),
  priority: limit('priority').meta({ description: '1 (first) to 100; null: as the job asks.' }),
  has_watermark: z.boolean().optional(),
  max_upload_bytes: limit('max_upload_bytes'),
  is_enabled: z.boolean().optional().meta({ description: 'False: nobody new gets it.' }),
}
export const PeriodInput = z.enum(PERIOD_WORDS)

const FIELDS = {
  display_name: 'displayName',
  tokens_per_period: 'tokensPerPeriod',
  period: 'period',
  is_rollover: 'isRollover',
  max_concurrent: 'maxConcurrent',
  jobs_per_day: 'jobsPerDay',
  tokens_per_day: 'tokensPerDay',
  tokens_per_month: 'tokensPerMonth',
  micro_usd_per_day: 'microUsdPerDay',
  micro_usd_per_month: 'microUsdPerMonth',
  models: 'models',
  kinds: 'kinds',
  strategy: 'strategy',
  priority: 'priority',
  has_watermark: 'hasWatermark',
  max_upload_bytes: 'maxUploadBytes',
  is_enabled: 'isEnabled',
} as const satisfies Record<string, keyof PlanFields>

/** The fields that a checked body names, as the domain calls them. */
export function planFieldsOf(
  body: {
    [Name in keyof typeof FIELDS]?: PlanFields[(typeof FIELDS)[Name]] | undefined
  },
): Partial<PlanFields> {
  const named = Object.entries(FIELDS).flatMap(([wire, own]) => {
    const value = body[wire as keyof typeof FIELDS]
    return value === undefined ? [] : [[own, value]]
  })
  return Object.fromEntries(named) as Partial<PlanFields>
}

const count = z.int()
const most = z.int().nullable()
const openWords = (words: readonly [string, ...string[]]) => z.union([z.enum(words), z.string()])

const fieldsOut = {
  display_name: z.string(),
  tokens_per_period: count,
  period: openWords(PERIOD_WORDS),
  is_rollover: z.boolean(),
  max_concurrent: most,
  jobs_per_day: most,
  tokens_per_day: most,
  tokens_per_month: most,
  micro_usd_per_day: most,
  micro_usd_per_month: most,
  models: z.array(z.string()).nullable(),
  kinds: z.array(z.string()).nullable(),
  strategy: openWords(STRATEGIES).nullable(),
  priority: most,
  has_watermark: z.boolean(),
  max_upload_bytes: most,
}

export const PlanBody = z
  .object({
    id: z.string(),
    name: z.string(),
    ...fieldsOut,
    is_enabled: z.boolean(),
    is_default: z.boolean().meta({ description: 'Who has no subscription gets this one.' }),
    created_at: time,
  })
  .meta({ id: 'Plan' })

export const TemplateBody = z.object({ name: z.string(), ...fieldsOut }).meta({
  id: 'PlanTemplate',
})

export const SubscriptionBody = z
  .object({
    id: z.string(),
    external_id: z.string(),
    plan: z.string(),
    next_plan: z
      .string()
      .nullable()
      .meta({ description: 'Takes over at `period_end`; null: it goes on.' }),
    status: openWords(['active', 'ended']),
    source: z.string(),
    period_number: count.meta({ description: 'Counted from 0.' }),
    period_start: time,
    period_end: time,
    cancel_at_period_end: z.boolean(),
    next_replenishment_at: time.nullable().meta({ description: 'When the plan brings tokens.' }),
    created_at: time,
    ended_at: time.nullable(),
  })
  .meta({ id: 'Subscription' })

import { Elysia } from 'elysia'
import { z } from 'zod'
import { isoSeconds } from '@/base/clock'
import { AppError } from '@/base/errors'
import * as jobs from '@/domain/jobs'
import { usageOfUser } from '@/domain/limits'
import { readEntitlement } from '@/domain/plans'
import * as users from '@/domain/users'
import { type Call, guarded, type HttpDeps } from '../guard'
import { operation } from '../operation'
import { pathUser } from '../path-user'
import { time } from '../schemas'

/** Nobody shows more, and a server may have queued any number for its user. */
const MOST_ACTIVE = 1_000

const count = z.int().nullable()
const limit = count.meta({ description: 'Null: no limit.' })
const counted = count.meta({ description: 'Null where the plan has no such limit.' })
const cost = count.meta({
  description:
    'What our providers take for it. Null for publishable keys, and without such a limit.',
})

const UserUsageBody = z
  .object({
    plan: z.string().nullable().meta({ description: 'Its name; null: no plan, and no limits.' }),
    jobs_today: count.meta({ description: 'Cancelled ones count, failed ones do not.' }),
    daily_limit: limit,
    remaining_today: limit,
    concurrent: z.int().meta({ description: 'Queued and running jobs, counted to 1,000.' }),
    concurrent_limit: limit,
    tokens_today: counted,
    tokens_per_day: limit,
    tokens_this_month: counted,
    tokens_per_month: limit,
    cost_today_micro_usd: cost,
    cost_per_day_micro_usd: cost,
    cost_this_month_micro_usd: cost,
    cost_per_month_micro_usd: cost,
    resets_at: time.meta({ description: 'When the day ends, in the time zone of the app.' }),
    month_resets_at: time,
  })
  .meta({ id: 'UserUsage' })

export const GET_USER_USAGE = operation({
  method: 'GET',
  path: '/api/v1/users/:external_id/usage',
  id: 'getUserUsage',
  summary: 'Get what a user has used of the limits of the plan',
  description: '`me` is the user of the call.',
  tag: 'Users',
  access: { keys: 'any', user: 'optional', counts: 'read' },
  answers: { 200: { description: 'Now.', schema: UserUsageBody } },
  errors: ['not_found'],
})

export const userUsageRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'v1.user-usage' }).get(
    GET_USER_USAGE.path,
    guarded(http, GET_USER_USAGE, call => read(http, call)),
    { detail: { hide: true } },
  )

function read({ deps }: HttpDeps, { caller, params }: Call<typeof GET_USER_USAGE>) {
  const { realm, key } = caller
  const user = users.findByExternalId(deps.db, realm.id, pathUser(caller, params))
  if (!user) throw new AppError('not_found')
  const plan = readEntitlement(deps.db, realm, user.id)
  const { used, dayEndsAt, monthEndsAt } = usageOfUser(deps.db, realm, user.id, plan)
  // What an app's margin is can be read from the cost, and its users hold the publishable key.
  const forServers = (amount: number | null | undefined) =>
    key.kind === 'secret' ? (amount ?? null) : null
  const dailyLimit = plan?.jobsPerDay ?? null
  const jobsToday = used?.jobsToday ?? null
  const body = {
    plan: plan?.planName ?? null,
    jobs_today: jobsToday,
    daily_limit: dailyLimit,
    remaining_today: dailyLimit === null ? null : Math.max(0, dailyLimit - (jobsToday ?? 0)),
    concurrent: jobs.countActive(deps.db, user.id, MOST_ACTIVE),
    concurrent_limit: plan?.maxConcurrent ?? null,
    tokens_today: used?.tokensToday ?? null,
    tokens_per_day: plan?.tokensPerDay ?? null,
    tokens_this_month: used?.tokensThisMonth ?? null,
    tokens_per_month: plan?.tokensPerMonth ?? null,
    cost_today_micro_usd: forServers(used?.microUsdToday),
    cost_per_day_micro_usd: forServers(plan?.microUsdPerDay),
    cost_this_month_micro_usd: forServers(used?.microUsdThisMonth),
    cost_per_month_micro_usd: forServers(plan?.microUsdPerMonth),
    resets_at: isoSeconds(dayEndsAt),
    month_resets_at: isoSeconds(monthEndsAt),
  }
  return { status: 200, body }
}

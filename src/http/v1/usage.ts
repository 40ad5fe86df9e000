import { Elysia } from 'elysia'
import { z } from 'zod'
import { dayOf } from '@/base/clock'
import { invalidInput } from '@/base/errors'
import type { Deps } from '@/deps'
import * as usage from '@/domain/usage'
import { scopeOf } from '../caller'
import { type Cell, csvResponse, prefersCsv } from '../csv'
import { type Call, guarded, type HttpDeps } from '../guard'
import { operation } from '../operation'
import { beforeOf, pageOf } from '../page'
import { presentUsage } from '../present'
import { PageQuery } from '../schemas'

const GROUPS = ['day', 'model', 'user', 'provider'] as const
const DEFAULT_DAYS = 30
/** A year and the same month of the year before. */
const MAX_DAYS = 400
/** Users in a CSV are read in pages of this many. */
const USERS_AT_ONCE = 100

const day = z
  .string()
  .refine(text => usage.readDay(text) !== null, { error: 'must be a day like 2026-01-31' })
  .optional()

const count = z.int()
const sums = {
  jobs: count.meta({ description: 'Jobs that ended on these days.' }),
  succeeded: count,
  failed: count,
  cancelled: count,
  outputs: count,
  tokens: count.meta({
    description: 'What the users paid in the end; what went back is not in it.',
  }),
  provider_cost_micro_usd: count,
  average_ms: count.nullable().meta({ description: 'From the request of a job to its end.' }),
  cost_per_job_micro_usd: count.nullable(),
  cost_per_output_micro_usd: count.nullable(),
  success_rate: z
    .number()
    .nullable()
    .meta({ description: 'Of the jobs that nobody cancelled, 0 to 1; null without any.' }),
}

const GroupBody = z
  .object({
    day: z.string().optional().meta({ description: 'A day of UTC. With `group=day`.' }),
    model: z.string().optional().meta({ description: 'With `group=model`.' }),
    user_id: z
      .string()
      .nullable()
      .optional()
      .meta({ description: 'With `group=user`; null for a person who was erased.' }),
    provider: z
      .string()
      .nullable()
      .optional()
      .meta({ description: 'With `group=provider`; null where no provider was asked.' }),
    ...sums,
  })
  .meta({ id: 'UsageGroup' })

export const GET_USAGE = operation({
  method: 'GET',
  path: '/api/v1/usage',
  id: 'getUsage',
  summary: 'See what the app used: jobs, tokens and provider cost',
  description:
    'By the day (UTC) on which a job ended. Days newest first, models and providers the most expensive first, users the newest first; only users come in pages. A call for a user sees that user’s.',
  tag: 'Usage',
  access: { keys: 'secret', user: 'none', counts: 'read' },
  query: z.strictObject({
    from: day.meta({ description: 'The first day, as 2026-01-01. 30 days before `to` are seen.' }),
    to: day.meta({ description: 'The last day, as 2026-01-31; today.' }),
    group: z.enum(GROUPS).default('day'),
    format: z.enum(['json', 'csv']).optional().meta({
      description: 'Instead of the header `Accept`. CSV has every group, without the totals.',
    }),
    ...PageQuery,
  }),
  answers: {
    200: {
      description: 'The groups in which there was a job, and the sum over the whole time.',
      schema: z
        .object({
          from: z.string(),
          to: z.string(),
          group: z.union([z.enum(GROUPS), z.string()]),
          data: z.array(GroupBody),
          totals: z.object(sums).meta({ id: 'UsageTotals' }),
          has_more: z.boolean(),
          next_cursor: z.string().nullable(),
        })
        .meta({ id: 'UsageReport' }),
      isAlsoCsv: true,
    },
  },
})

type Query = Call<typeof GET_USAGE>['query']

export const usageRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'v1.usage' }).get(
    GET_USAGE.path,
    guarded(http, GET_USAGE, call => read(http, call)),
    { detail: { hide: true } },
  )

async function read({ deps }: HttpDeps, { caller, query, request }: Call<typeof GET_USAGE>) {
  const range = rangeOf(deps, query)
  if (query.cursor !== undefined && query.group !== 'user') {
    throw invalidInput('cursor', 'is for `group=user`: the other groups come whole')
  }
  const asked = { scope: scopeOf(deps, caller), range, before: beforeOf('user', query.cursor) }
  const wantsCsv = query.format ? query.format === 'csv' : prefersCsv(request.headers.get('accept'))
  if (wantsCsv) {
    const days = [range.from, range.to].map(usage.writeDay).join('-to-')
    const name = `usage-${caller.realm.appSlug}-${caller.realm.mode}-by-${query.group}-${days}.csv`
    return await csvResponse(name, columnsOf(query.group), csvPages(deps, asked, query.group))
  }
  return {
    status: 200,
    body: {
      from: usage.writeDay(range.from),
      to: usage.writeDay(range.to),
      group: query.group,
      ...(query.group === 'user'
        ? await pageOfUsers(deps, asked, query.limit)
        : await wholeOf(deps, asked, query.group)),
    },
  }
}

type Asked = { scope: usage.UsageScope | null; range: usage.DayRange; before: number }

/** Throws 400 for days in the wrong order, and for more of them than a report reads. */
function rangeOf({ clock }: Deps, given: Query): usage.DayRange {
  const to = (given.to ? usage.readDay(given.to) : null) ?? dayOf(clock.now())
  const from =
    (given.from ? usage.readDay(given.from) : null) ?? usage.daysBefore(to, DEFAULT_DAYS - 1)
  if (from > to) throw invalidInput('from', 'must not be after `to`, which is today if left out')
  if (usage.countDays({ from, to }) > MAX_DAYS) {
    throw invalidInput('from', `must be at most ${MAX_DAYS} days before \`to\``)
  }
  return { from, to }
}

async function wholeOf({ db }: Deps, { scope, range }: Asked, group: usage.Grouping) {
  const { groups, totals } = await usage.report(db, scope, range, group)
  return {
    data: groups.map(row => ({ [group]: row.name, ...presentUsage(row) })),
    totals: presentUsage(totals),
    has_more: false,
    next_cursor: null,
  }
}

async function pageOfUsers({ db }: Deps, { scope, range, before }: Asked, limit: number) {
  const { totals } = await usage.report(db, scope, range, 'day')
  const rows = await usage.reportByUser(db, scope, range, { before, limit: limit + 1 })
  const page = pageOf('user', rows, limit, row => ({
    user_id: row.externalId,
    ...presentUsage(row),
  }))
  return { ...page, totals: presentUsage(totals) }
}

function columnsOf(group: Query['group']): string[] {
  return [group === 'user' ? 'user_id' : group, ...Object.keys(sums)]
}

async function* csvPages(
  { db }: Deps,
  asked: Asked,
  group: Query['group'],
): AsyncGenerator<Cell[][]> {
  const { scope, range } = asked
  if (group !== 'user') {
    const { groups } = await usage.report(db, scope, range, group)
    yield groups.map(row => cellsOf(row.name, row))
    return
  }
  let { before } = asked
  for (;;) {
    const rows = await usage.reportByUser(db, scope, range, { before, limit: USERS_AT_ONCE })
    yield rows.map(row => cellsOf(row.externalId, row))
    const last = rows.at(-1)
    if (!last || rows.length < USERS_AT_ONCE) return
    before = last.id
  }
}

function cellsOf(name: string | null, row: usage.Sums): Cell[] {
  return [name, ...Object.values(presentUsage(row))]
}

import { isoSeconds } from '@/base/clock'
import { AppError, type InputProblem } from '@/base/errors'
import { formatId } from '@/base/ids'
import type { Period } from '@/db/schema'
import type { Deps, Realm } from '@/deps'
import { findApp, realmsOf } from '@/domain/apps'
import * as plans from '@/domain/plans'
import { isExternalId } from '@/domain/users'
import { columns } from './columns'
import { type Command, type Context, SHELL, UsageError } from './command'
import { modeOf, readOptions, required, wholeNumber } from './options'

const WHERE = {
  app: { type: 'string' },
  mode: { type: 'string' },
  json: { type: 'boolean' },
} as const

export const plansCommand: Command = {
  name: 'plans',
  usage: `hub plans templates [--json]
hub plans list --app S [--mode live|test] [--json]
hub plans create --app S [--template T] [--name N] [--tokens N] [--period day|week|month]
                 [--max-concurrent N] [--jobs-per-day N] [--mode live|test] [--json]
hub plans set-default NAME|none --app S [--mode live|test] [--json]
hub plans subscribe --app S --user U --plan NAME [--period-start TIME] [--source WORD]
                    [--proration tokens|none|restart] [--when now|period_end] [--mode live|test] [--json]`,
  summary: 'What apps sell their users, and who has it',
  async run(context) {
    const [verb, ...args] = context.args
    const run = verb !== undefined && Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined
    if (!run) throw new UsageError(`say ${Object.keys(VERBS).join(', ')}`)
    return await run({ ...context, args })
  },
}

const VERBS: Record<string, (context: Context) => Promise<number>> = {
  templates,
  list,
  create,
  'set-default': setDefault,
  subscribe,
}

async function templates(context: Context): Promise<number> {
  const { values } = readOptions(context.args, { json: { type: 'boolean' } }, 0)
  const all = Object.entries(plans.TEMPLATES).map(([name, fields]) => ({
    name,
    ...present(fields),
  }))
  context.out(values.json ? JSON.stringify(all) : table(all))
  return 0
}

async function list(context: Context): Promise<number> {
  const { values } = readOptions(context.args, WHERE, 0)
  return await onRealm(context, values, ({ db }, realm) => {
    const defaultId = plans.defaultPlanOf(db, realm.id)?.id
    const all = plans.listPlans(db, realm.id).map(plan => ({
      id: formatId('plan', plan.id),
      name: plan.name,
      ...present(plan),
      is_enabled: plan.isEnabled,
      is_default: plan.id === defaultId,
    }))
    if (values.json) context.out(JSON.stringify(all))
    else if (all.length === 0) {
      context.out(`No plans yet. Make one: hub plans create --app ${realm.appSlug} --template free`)
    } else context.out(table(all))
  })
}

async function create(context: Context): Promise<number> {
  const { values } = readOptions(
    context.args,
    {
      ...WHERE,
      template: { type: 'string' },
      name: { type: 'string' },
      tokens: { type: 'string' },
      period: { type: 'string' },
      'max-concurrent': { type: 'string' },
      'jobs-per-day': { type: 'string' },
    },
    0,
  )
  const input: plans.NewPlan = {
    template: values.template ?? null,
    name: values.name ?? null,
    ...given('tokensPerPeriod', wholeNumber(values.tokens, 'tokens')),
    ...given('maxConcurrent', wholeNumber(values['max-concurrent'], 'max-concurrent')),
    ...given('jobsPerDay', wholeNumber(values['jobs-per-day'], 'jobs-per-day')),
    // The plan's own check says which words there are.
    ...given('period', values.period as Period | undefined),
  }
  return await onRealm(context, values, async (deps, realm) => {
    const { plan } = await plans.createPlan(deps, { ...SHELL, realm }, realm, input)
    const shown = { id: formatId('plan', plan.id), name: plan.name, ...present(plan) }
    context.out(
      values.json
        ? JSON.stringify(shown)
        : `${realm.appSlug} (${realm.mode}) sells ${plan.name}: ${plan.tokensPerPeriod} tokens a ${plan.period}.`,
    )
  })
}

async function setDefault(context: Context): Promise<number> {
  const { values, positionals } = readOptions(context.args, WHERE, 1)
  const [name] = positionals
  if (name === undefined) throw new UsageError('name a plan, or `none`')
  return await onRealm(context, values, async (deps, realm) => {
    const wanted = name === 'none' ? null : name
    const plan = await plans.setDefaultPlan(deps, { ...SHELL, realm }, realm, wanted)
    const sentence = plan
      ? `Users of ${realm.appSlug} (${realm.mode}) who have no subscription get ${plan.name}.`
      : `Users of ${realm.appSlug} (${realm.mode}) who have no subscription have no plan.`
    context.out(values.json ? JSON.stringify({ default_plan: plan?.name ?? null }) : sentence)
  })
}

async function subscribe(context: Context): Promise<number> {
  const { values } = readOptions(
    context.args,
    {
      ...WHERE,
      user: { type: 'string' },
      plan: { type: 'string' },
      'period-start': { type: 'string' },
      source: { type: 'string' },
      proration: { type: 'string' },
      when: { type: 'string' },
    },
    0,
  )
  const externalId = required(values.user, 'user')
  if (!isExternalId(externalId)) throw new UsageError('--user is not a user id')
  const order: plans.SubscriptionOrder = {
    plan: required(values.plan, 'plan'),
    periodStart: timeOf(values['period-start']),
    source: values.source ?? 'shell',
    proration: wordOf(plans.PRORATIONS, values.proration, 'proration'),
    when: wordOf(plans.WHENS, values.when, 'when'),
  }
  return await onRealm(context, values, async (deps, realm) => {
    const actor = { ...SHELL, realm }
    const { subscription } = await plans.subscribe(deps, actor, realm, externalId, order)
    const { planName, nextPlanName, periodStart, periodEnd } = subscription
    const shown = {
      id: formatId('subscription', subscription.id),
      external_id: externalId,
      mode: realm.mode,
      plan: planName,
      next_plan: nextPlanName,
      period_start: isoSeconds(periodStart),
      period_end: isoSeconds(periodEnd),
    }
    const then = nextPlanName ? `, and then ${nextPlanName}` : ''
    context.out(
      values.json
        ? JSON.stringify(shown)
        : `${externalId} (${realm.mode}) has ${planName} until ${shown.period_end}${then}.`,
    )
  })
}

async function onRealm(
  context: Context,
  values: { app?: string; mode?: string },
  act: (deps: Deps, realm: Realm) => void | Promise<void>,
): Promise<number> {
  const slug = required(values.app, 'app')
  const mode = modeOf(values.mode)
  const hub = await context.openHub()
  try {
    const app = findApp(hub.deps.db, slug)
    if (!app) throw new Error(`there is no app ${slug}; \`hub apps list\` shows what there is`)
    await act(hub.deps, realmsOf(hub.deps.db, app.id)[mode])
    return 0
  } catch (error) {
    throw inWords(error)
  } finally {
    await hub.close()
  }
}

/** The first field that is wrong, by its name. */
function inWords(error: unknown): unknown {
  if (!(error instanceof AppError) || error.code !== 'invalid_input') return error
  const [problem] = error.detail.details as InputProblem[]
  return problem ? new Error(`${problem.path} ${problem.message}`) : error
}

function present(fields: plans.PlanFields) {
  return {
    display_name: fields.displayName,
    tokens_per_period: fields.tokensPerPeriod,
    period: fields.period,
    is_rollover: fields.isRollover,
    max_concurrent: fields.maxConcurrent,
    jobs_per_day: fields.jobsPerDay,
    strategy: fields.strategy,
    has_watermark: fields.hasWatermark,
  }
}

type Shown = ReturnType<typeof present> & {
  name: string
  is_enabled?: boolean
  is_default?: boolean
}

function table(all: Shown[]): string {
  const rows = all.map(plan => [
    plan.name,
    `${plan.tokens_per_period} a ${plan.period}`,
    `${plan.max_concurrent ?? '-'}`,
    `${plan.jobs_per_day ?? '-'}`,
    plan.strategy ?? '-',
    plan.is_default ? 'default' : plan.is_enabled === false ? 'off' : '',
  ])
  return columns([['NAME', 'TOKENS', 'AT ONCE', 'A DAY', 'STRATEGY', ''], ...rows])
}

function timeOf(text: string | undefined): number | null {
  if (text === undefined) return null
  // Without its zone a time would be that of this machine.
  const isWhole = /^\d{4}-\d\d-\d\d(T.+(Z|[+-]\d\d:\d\d))?$/.test(text)
  const ms = isWhole ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms)) throw new UsageError('--period-start takes a time: 2026-01-15T10:30:00Z')
  return ms
}

function wordOf<Word extends string>(
  words: readonly Word[],
  text: string | undefined,
  name: string,
): Word | null {
  if (text === undefined) return null
  const word = words.find(one => one === text)
  if (!word) throw new UsageError(`--${name} takes ${words.join(', ')}`)
  return word
}

function given<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V })
}

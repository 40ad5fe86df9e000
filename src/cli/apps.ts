import { isoSeconds } from '@/base/clock'
import { formatId } from '@/base/ids'
import { microUsdOf, usdOf } from '@/base/usd'
import * as apps from '@/domain/apps'
import { type Command, type Context, SHELL, UsageError } from './command'
import { readOptions, required, strategyOf, wholeNumber } from './options'

export const appsCommand: Command = {
  name: 'apps',
  usage: `hub apps create --name N --slug S [--prefix P] [--grant N] [--rate-per-user N]
                [--rate-per-app N] [--webhook-url U] [--json]
hub apps set --app S [--strategy priority|cheapest|fastest|balanced|best|default] [--time-zone Z]
             [--monthly-budget-usd N|none] [--budget-action refuse|warn] [--low-balance N|none] [--json]
hub apps disable|enable --app S [--json]
hub apps list [--json]`,
  summary: 'Create, change, switch off and list apps',
  async run(context) {
    const [verb, ...rest] = context.args
    if (verb === 'create') return await create({ ...context, args: rest })
    if (verb === 'set') return await set({ ...context, args: rest })
    if (verb === 'disable') return await switchApp({ ...context, args: rest }, false)
    if (verb === 'enable') return await switchApp({ ...context, args: rest }, true)
    if (verb === 'list') return await list({ ...context, args: rest })
    throw new UsageError('say `create`, `set`, `disable`, `enable` or `list`')
  },
}

async function create(context: Context): Promise<number> {
  const { values } = readOptions(
    context.args,
    {
      name: { type: 'string' },
      slug: { type: 'string' },
      prefix: { type: 'string' },
      grant: { type: 'string' },
      'rate-per-user': { type: 'string' },
      'rate-per-app': { type: 'string' },
      'webhook-url': { type: 'string' },
      json: { type: 'boolean' },
    },
    0,
  )
  const input = {
    name: required(values.name, 'name'),
    slug: required(values.slug, 'slug'),
    ...defined('keyPrefix', values.prefix),
    ...defined('webhookUrl', values['webhook-url']),
    ...defined('welcomeGrant', wholeNumber(values.grant, 'grant')),
    ...defined('rateLimitPerUser', wholeNumber(values['rate-per-user'], 'rate-per-user')),
    ...defined('rateLimitPerApp', wholeNumber(values['rate-per-app'], 'rate-per-app')),
  }
  const hub = await context.openHub({ mayCreate: true })
  try {
    const made = await apps.createApp(hub.deps, SHELL, input)
    if (values.json) {
      context.out(
        JSON.stringify({
          app: presentApp(made.app),
          api_key: made.apiKey,
          test_api_key: made.testApiKey,
          webhook_secret: made.webhookSecret,
          test_webhook_secret: made.testWebhookSecret,
        }),
      )
    } else {
      context.out(created(made))
    }
    return 0
  } finally {
    await hub.close()
  }
}

function created(made: apps.CreatedApp): string {
  return `App ${made.app.slug} is made. These are shown once; keep them now:

  live key             ${made.apiKey}
  test key             ${made.testApiKey}
  live webhook secret  ${made.webhookSecret}
  test webhook secret  ${made.testWebhookSecret}

These keys are secret: for your server, never inside an app. For the app itself make a publishable one:
  hub keys create --app ${made.app.slug} --kind publishable`
}

async function set(context: Context): Promise<number> {
  const { values } = readOptions(
    context.args,
    {
      app: { type: 'string' },
      strategy: { type: 'string' },
      'monthly-budget-usd': { type: 'string' },
      'budget-action': { type: 'string' },
      'low-balance': { type: 'string' },
      'time-zone': { type: 'string' },
      json: { type: 'boolean' },
    },
    0,
  )
  const slug = required(values.app, 'app')
  const strategy = strategyOf(values.strategy)
  const change: apps.AppChange = {
    ...defined('monthlyBudgetMicroUsd', budgetOf(values['monthly-budget-usd'])),
    ...defined('budgetAction', actionOf(values['budget-action'])),
    ...defined('lowBalanceThreshold', thresholdOf(values['low-balance'])),
    ...defined('timeZone', values['time-zone']),
  }
  const isChanged = Object.keys(change).length > 0
  if (strategy === undefined && !isChanged) throw new UsageError('say what to set')
  return await onApp(context, slug, async (hub, found) => {
    if (strategy !== undefined) await apps.setStrategy(hub.deps, SHELL, slug, strategy)
    const app = isChanged ? await apps.changeApp(hub.deps, SHELL, slug, change) : found
    context.out(
      values.json
        ? JSON.stringify({ ...presentApp(app), ...(strategy === undefined ? {} : { strategy }) })
        : [
            ...(strategy === undefined
              ? []
              : [
                  `Jobs of ${slug} are routed by ${strategy ?? 'priority'}, unless their model has a strategy of its own.`,
                ]),
            ...(isChanged ? [sentenceOf(app)] : []),
          ].join('\n'),
    )
    return 0
  })
}

/** The kill switch: a running server refuses from its next call on, and what it accepted goes on. */
async function switchApp(context: Context, isEnabled: boolean): Promise<number> {
  const { values } = readOptions(
    context.args,
    { app: { type: 'string' }, json: { type: 'boolean' } },
    0,
  )
  const slug = required(values.app, 'app')
  return await onApp(context, slug, async hub => {
    const app = await apps.changeApp(hub.deps, SHELL, slug, { isEnabled })
    const sentence = isEnabled
      ? `${slug} is on.`
      : `${slug} is off: every call is refused. Jobs that were accepted go on. Back on: hub apps enable --app ${slug}`
    context.out(values.json ? JSON.stringify(presentApp(app)) : sentence)
    return 0
  })
}

async function onApp(
  context: Context,
  slug: string,
  act: (hub: Awaited<ReturnType<Context['openHub']>>, found: apps.App) => Promise<number>,
): Promise<number> {
  const hub = await context.openHub()
  try {
    const found = apps.findApp(hub.deps.db, slug)
    if (!found) {
      throw new Error(`there is no app ${slug}; \`hub apps list\` shows what there is`)
    }
    return await act(hub, found)
  } finally {
    await hub.close()
  }
}

const NONE = 'none'

function budgetOf(text: string | undefined): number | null | undefined {
  if (text === undefined || text === NONE) return text === NONE ? null : undefined
  const microUsd = microUsdOf(text)
  if (microUsd === null) {
    throw new UsageError('--monthly-budget-usd takes an amount, such as 250 or 99.50, or none')
  }
  return microUsd
}

function thresholdOf(text: string | undefined): number | null | undefined {
  return text === NONE ? null : wholeNumber(text, 'low-balance')
}

function actionOf(text: string | undefined): apps.App['budgetAction'] | undefined {
  if (text === undefined || text === 'refuse' || text === 'warn') return text
  throw new UsageError('--budget-action takes refuse or warn')
}

function sentenceOf({ slug, timeZone, lowBalanceThreshold, ...app }: apps.App): string {
  const budget =
    app.monthlyBudgetMicroUsd === null
      ? 'no budget of its own'
      : `a budget of $${usdOf(app.monthlyBudgetMicroUsd)} a month (${app.budgetAction})`
  const low =
    lowBalanceThreshold === null ? 'none' : `when a user falls below ${lowBalanceThreshold} tokens`
  return `${slug} has ${budget}; days begin by ${timeZone}; event tokens.low: ${low}.`
}

async function list(context: Context): Promise<number> {
  const { values } = readOptions(context.args, { json: { type: 'boolean' } }, 0)
  const hub = await context.openHub()
  try {
    const all = apps.listApps(hub.deps.db)
    if (values.json) context.out(JSON.stringify(all.map(presentApp)))
    else if (all.length === 0)
      context.out('No apps yet. Make one: hub apps create --name N --slug S')
    else for (const app of all) context.out(line(app))
    return 0
  } finally {
    await hub.close()
  }
}

function line({ slug, name, isEnabled }: apps.App): string {
  return `${slug.padEnd(24)} ${name}${isEnabled ? '' : ' (off)'}`
}

function presentApp(app: apps.App) {
  return {
    id: formatId('app', app.id),
    name: app.name,
    slug: app.slug,
    key_prefix: app.keyPrefix,
    welcome_grant: app.welcomeGrant,
    rate_limit_per_user: app.rateLimitPerUser,
    rate_limit_per_app: app.rateLimitPerApp,
    is_enabled: app.isEnabled === 1,
    time_zone: app.timeZone,
    monthly_budget_micro_usd: app.monthlyBudgetMicroUsd,
    budget_action: app.budgetAction,
    low_balance_threshold: app.lowBalanceThreshold,
    created_at: isoSeconds(app.createdAt),
  }
}

function defined<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V })
}

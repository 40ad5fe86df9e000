import { isoSeconds } from '@/base/clock'
import { formatId } from '@/base/ids'
import * as apps from '@/domain/apps'
import { type Command, type Context, SHELL, UsageError } from './command'
import { readOptions, required, strategyOf, wholeNumber } from './options'

export const appsCommand: Command = {
  name: 'apps',
  usage: `hub apps create --name N --slug S [--prefix P] [--grant N] [--rate-per-user N]
                [--rate-per-app N] [--webhook-url U] [--json]
hub apps set --app S --strategy priority|cheapest|fastest|balanced|best|default [--json]
hub apps list [--json]`,
  summary: 'Create, change and list apps',
  async run(context) {
    const [verb, ...rest] = context.args
    if (verb === 'create') return await create({ ...context, args: rest })
    if (verb === 'set') return await set({ ...context, args: rest })
    if (verb === 'list') return await list({ ...context, args: rest })
    throw new UsageError('say `create`, `set` or `list`')
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
    { app: { type: 'string' }, strategy: { type: 'string' }, json: { type: 'boolean' } },
    0,
  )
  const slug = required(values.app, 'app')
  const strategy = strategyOf(required(values.strategy, 'strategy')) ?? null
  const hub = await context.openHub()
  try {
    if (!apps.findApp(hub.deps.db, slug)) {
      throw new Error(`there is no app ${slug}; \`hub apps list\` shows what there is`)
    }
    await apps.setStrategy(hub.deps, SHELL, slug, strategy)
    context.out(
      values.json
        ? JSON.stringify({ slug, strategy })
        : `Jobs of ${slug} are routed by ${strategy ?? 'priority'}, unless their model has a strategy of its own.`,
    )
    return 0
  } finally {
    await hub.close()
  }
}

async function list(context: Context): Promise<number> {
  const { values } = readOptions(context.args, { json: { type: 'boolean' } }, 0)
  const hub = await context.openHub()
  try {
    const all = apps.listApps(hub.deps.db)
    if (values.json) context.out(JSON.stringify(all.map(presentApp)))
    else if (all.length === 0)
      context.out('No apps yet. Make one: hub apps create --name N --slug S')
    else for (const app of all) context.out(`${app.slug.padEnd(24)} ${app.name}`)
    return 0
  } finally {
    await hub.close()
  }
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
    created_at: isoSeconds(app.createdAt),
  }
}

function defined<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V })
}

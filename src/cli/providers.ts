import { isoSeconds } from '@/base/clock'
import { formatId } from '@/base/ids'
import type { Deps } from '@/deps'
import { routeCounts } from '@/domain/catalog'
import * as providers from '@/domain/providers'
import { columns } from './columns'
import { type Command, type Context, UsageError } from './command'
import { readOptions } from './options'
import { presentCheck, unknownProvider } from './provider-check'
import { removeKey, removeWebhookSecret, setKey, setWebhookSecret, switchTo } from './provider-keys'

export const providersCommand: Command = {
  name: 'providers',
  usage: `hub providers list [--json]
hub providers test [NAME] [--json]
hub providers set-key NAME [--no-check] [--json]       (the key on standard input)
hub providers remove-key NAME [--json]
hub providers set-webhook-secret NAME [--json]         (the secret on standard input)
hub providers remove-webhook-secret NAME [--json]
hub providers pause NAME [--json]
hub providers resume NAME [--json]`,
  summary: 'Keys of providers, and how they are',
  async run(context) {
    const [verb = '', ...args] = context.args
    const act = VERBS.get(verb)
    if (!act) throw new UsageError(`say ${[...VERBS.keys()].map(name => `\`${name}\``).join(', ')}`)
    return await act({ ...context, args })
  },
}

const VERBS = new Map<string, (context: Context) => Promise<number>>([
  ['list', list],
  ['test', test],
  ['set-key', setKey],
  ['remove-key', removeKey],
  ['set-webhook-secret', setWebhookSecret],
  ['remove-webhook-secret', removeWebhookSecret],
  ['pause', context => switchTo(context, false)],
  ['resume', context => switchTo(context, true)],
])

async function list(context: Context): Promise<number> {
  const { values } = readOptions(context.args, { json: { type: 'boolean' } }, 0)
  const hub = await context.openHub()
  try {
    const all = presentAll(hub.deps)
    if (values.json) {
      context.out(JSON.stringify(all))
      return 0
    }
    const rows = all.map(each => [
      each.name,
      each.key.replaceAll('_', ' '),
      each.is_enabled ? 'on' : 'paused',
      each.health,
      each.checked_at ?? '-',
      `${each.routes}`,
      each.health_message ?? '',
    ])
    context.out(columns([['NAME', 'KEY', 'STATE', 'HEALTH', 'LAST CHECK', 'ROUTES', ''], ...rows]))
    if (!all.some(hasKey)) context.say(`\n${NO_KEYS}`)
    return 0
  } finally {
    await hub.close()
  }
}

const NO_KEYS =
  'No provider has a key here, so live keys answer no_provider_available. To store one:\n  hub providers set-key NAME'

type Listed = ReturnType<typeof presentAll>[number]

const hasKey = ({ key }: Listed) => key === 'stored' || key === 'environment'

function presentAll(deps: Deps) {
  const counts = routeCounts(deps.db)
  const known = providers.healthOf(deps)
  return providers.allProviders(deps).map(row => {
    const isKeyless = deps.providers.get(row.name)?.isKeyless === true
    return {
      id: formatId('provider', row.id),
      name: row.name,
      display_name: row.displayName,
      key: isKeyless ? ('not_needed' as const) : providers.keySourceOf(deps, row),
      key_variable: row.apiKeyEnvVar,
      has_webhook_secret: row.webhookSecretSealed !== null,
      is_enabled: row.isEnabled === 1,
      health: known[row.name] ?? row.health,
      health_message: row.healthMessage,
      checked_at: row.checkedAt === null ? null : isoSeconds(row.checkedAt),
      routes: counts.get(row.id) ?? 0,
    }
  })
}

/** What is no news of a provider that was not asked for by name. */
const IS_FINE = ['ok', 'no_key', 'no_adapter', 'no_check', 'paused']

async function test(context: Context): Promise<number> {
  const { values, positionals } = readOptions(context.args, { json: { type: 'boolean' } }, 1)
  const [name] = positionals
  const hub = await context.openHub()
  try {
    const { deps } = hub
    const rows = providers.allProviders(deps)
    if (name !== undefined && !rows.some(row => row.name === name)) throw unknownProvider(name)
    const asked = rows
      .filter(row => (name === undefined ? row.isEnabled === 1 : row.name === name))
      .map(row => row.name)
    const checked = await providers.checkEach(deps, asked, new AbortController().signal)
    const shown = rows
      .filter(row => name === undefined || row.name === name)
      .map(row => {
        const check = checked.find(each => each.name === row.name)
        return check ? presentCheck(check) : { ...PAUSED, name: row.name, health: row.health }
      })
    const isWell = shown.every(({ outcome }) =>
      name === undefined ? IS_FINE.includes(outcome) : outcome === 'ok',
    )
    if (values.json) context.out(JSON.stringify({ ok: isWell, providers: shown }))
    else {
      const lines = shown.map(each => [
        each.name,
        each.outcome.replaceAll('_', ' '),
        each.duration_ms === null ? '-' : `${each.duration_ms} ms`,
        each.health ?? '-',
        each.message ?? '',
      ])
      context.out(columns([['NAME', 'RESULT', 'TIME', 'HEALTH', ''], ...lines]))
    }
    return isWell ? 0 : 1
  } finally {
    await hub.close()
  }
}

const PAUSED = { outcome: 'paused' as const, duration_ms: null, message: null }

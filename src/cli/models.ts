import { isoSeconds } from '@/base/clock'
import type { Deps } from '@/deps'
import * as catalog from '@/domain/catalog'
import { columns } from './columns'
import { type Command, type Context, SHELL, UsageError } from './command'
import { onOff, readOptions, strategyOf, wholeNumber } from './options'

export const modelsCommand: Command = {
  name: 'models',
  usage: `hub models list [--json]
hub models show NAME [--json]
hub models set NAME [--strategy priority|cheapest|fastest|balanced|best|default] [--token-cost N]
               [--enable|--disable] [--json]`,
  summary: 'What is sold, for how much, and who serves it now',
  async run(context) {
    const [verb, ...args] = context.args
    if (verb === 'list') return await list({ ...context, args })
    if (verb === 'show') return await show({ ...context, args })
    if (verb === 'set') return await set({ ...context, args })
    throw new UsageError('say `list`, `show` or `set`')
  },
}

async function list(context: Context): Promise<number> {
  const { values } = readOptions(context.args, { json: { type: 'boolean' } }, 0)
  const hub = await context.openHub()
  try {
    const all = catalog.listEveryModel(hub.deps.db).map(model => presentListed(hub.deps, model))
    if (values.json) {
      context.out(JSON.stringify(all))
      return 0
    }
    const rows = all.map(each => [
      each.name,
      each.kind,
      each.family,
      `${each.token_cost}`,
      each.routes.map(({ provider, priority }) => `${provider}:${priority}`).join(' ') || '-',
      each.is_enabled ? each.served_by.join(', ') || 'nobody' : 'off',
    ])
    const head = ['NAME', 'KIND', 'FAMILY', 'TOKENS', 'ROUTES', 'SERVED BY']
    context.out(columns([head, ...rows]))
    return 0
  } finally {
    await hub.close()
  }
}

async function show(context: Context): Promise<number> {
  const { values, positionals } = readOptions(context.args, { json: { type: 'boolean' } }, 1)
  const name = modelIn(positionals)
  const hub = await context.openHub()
  try {
    const model = catalog.findEveryModel(hub.deps.db, name)
    if (!model) throw unknownModel(name)
    const shown = {
      ...present(model),
      routes: catalog
        .everyRouteOf(hub.deps.db, model.id)
        .map(route => presentRoute(hub.deps, model, route)),
    }
    context.out(values.json ? JSON.stringify(shown) : described(shown))
    return 0
  } finally {
    await hub.close()
  }
}

async function set(context: Context): Promise<number> {
  const { values, positionals } = readOptions(
    context.args,
    {
      strategy: { type: 'string' },
      'token-cost': { type: 'string' },
      enable: { type: 'boolean' },
      disable: { type: 'boolean' },
      json: { type: 'boolean' },
    },
    1,
  )
  const name = modelIn(positionals)
  const tokenCost = wholeNumber(values['token-cost'], 'token-cost')
  const strategy = strategyOf(values.strategy)
  const isEnabled = onOff(values)
  const change: catalog.ModelChange = {
    ...(tokenCost === undefined ? {} : { tokenCost }),
    ...(strategy === undefined ? {} : { strategy }),
    ...(isEnabled === undefined ? {} : { isEnabled }),
  }
  if (Object.keys(change).length === 0) throw new UsageError('say what to change')
  const hub = await context.openHub()
  try {
    if (!catalog.findEveryModel(hub.deps.db, name)) throw unknownModel(name)
    const model = await catalog.setModel(hub.deps, SHELL, name, change)
    if (values.json) context.out(JSON.stringify(present(model)))
    else context.out(described({ ...present(model), routes: [] }))
    return 0
  } finally {
    await hub.close()
  }
}

export function unknownModel(name: string): Error {
  return new Error(`there is no model ${name}; \`hub models list\` shows what there is`)
}

function modelIn([name]: string[]): string {
  if (!name) throw new UsageError('say which model; `hub models list` shows what there is')
  return name
}

function present(model: catalog.CatalogModel) {
  return {
    name: model.name,
    display_name: model.displayName,
    kind: model.kind,
    family: model.family,
    token_cost: model.tokenCost,
    /** Null: the app's, else by priority. */
    strategy: model.strategy,
    is_enabled: model.isEnabled === 1,
  }
}

function presentListed(deps: Deps, model: catalog.CatalogModel) {
  const routes = catalog.everyRouteOf(deps.db, model.id)
  const isSold = model.isEnabled === 1
  return {
    ...present(model),
    routes: routes.map(({ provider, priority, isEnabled }) => ({
      provider,
      priority,
      is_enabled: isEnabled === 1,
    })),
    /** Live jobs may go there now, lowest priority number first. */
    served_by: routes
      .filter(route => isSold && catalog.stateOf(deps, route).state === 'ready')
      .map(({ provider }) => provider),
  }
}

type ShownRoute = ReturnType<typeof presentRoute>

export function presentRoute(deps: Deps, model: catalog.CatalogModel, route: catalog.CatalogRoute) {
  const { state, metrics } = catalog.stateOf(deps, route)
  const rates = route.config.cost
  const time = (ms: number | null) => (ms === null ? null : isoSeconds(ms))
  return {
    model: model.name,
    provider: route.provider,
    provider_model: route.providerModel,
    priority: route.priority,
    max_concurrent: route.maxConcurrent,
    quality: route.quality,
    is_enabled: route.isEnabled === 1,
    state,
    cost: rates
      ? {
          per_output_micro_usd: rates.per_output ?? null,
          per_second_micro_usd: rates.per_second ?? null,
          per_call_micro_usd: rates.per_call ?? null,
        }
      : null,
    metrics: metrics && {
      samples: metrics.samples,
      success: metrics.success,
      latency_ms: metrics.latencyMs === null ? null : Math.round(metrics.latencyMs),
      cost_micro_usd: metrics.costMicroUsd === null ? null : Math.round(metrics.costMicroUsd),
      resting_until: state === 'resting' ? time(metrics.restingUntil) : null,
      rest_reason: state === 'resting' ? metrics.restReason : null,
    },
  }
}

function described(model: ReturnType<typeof present> & { routes: ShownRoute[] }): string {
  const strategy = model.strategy ?? 'the app’s, else priority'
  const head = `${model.name}: ${model.display_name}
  ${model.kind}, family ${model.family}, tokens an output: ${model.token_cost}, ${model.is_enabled ? 'on' : 'off'}
  strategy: ${strategy}`
  if (model.routes.length === 0) return head
  const rows = model.routes.map(route => [
    `  ${route.provider}`,
    route.provider_model,
    `${route.priority}`,
    `${route.max_concurrent ?? '-'}`,
    `${route.quality ?? '-'}`,
    costText(route),
    measured(route),
    stateText(route),
  ])
  const titles = [
    '  PROVIDER',
    'ITS NAME',
    'PRIO',
    'AT ONCE',
    'QUALITY',
    'COST',
    'MEASURED',
    'STATE',
  ]
  return `${head}\n${columns([titles, ...rows])}`
}

function stateText({ state, metrics }: ShownRoute): string {
  if (state !== 'resting') return state.replaceAll('_', ' ')
  return `resting until ${metrics?.resting_until} (${metrics?.rest_reason ?? 'failures'})`
}

function costText({ cost }: ShownRoute): string {
  if (!cost) return '-'
  const parts = [
    [cost.per_output_micro_usd, 'an output'],
    [cost.per_second_micro_usd, 'a second'],
    [cost.per_call_micro_usd, 'a call'],
  ] as const
  const told = parts.flatMap(([rate, unit]) => (rate === null ? [] : [`${dollars(rate)} ${unit}`]))
  return told.join(' + ') || '-'
}

function measured({ metrics }: ShownRoute): string {
  if (!metrics || metrics.samples === 0) return '-'
  const parts = [
    `${(metrics.success * 100).toFixed(0)} % of ${metrics.samples}`,
    ...(metrics.latency_ms === null ? [] : [`${(metrics.latency_ms / 1000).toFixed(1)} s`]),
    ...(metrics.cost_micro_usd === null ? [] : [dollars(metrics.cost_micro_usd)]),
  ]
  return parts.join(', ')
}

function dollars(microUsd: number): string {
  return `$${(microUsd / 1_000_000).toFixed(4)}`
}

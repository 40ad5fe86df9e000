import * as catalog from '@/domain/catalog'
import { type Command, type Context, SHELL, UsageError } from './command'
import { presentRoute, unknownModel } from './models'
import { onOff, readOptions, wholeNumber } from './options'

export const routesCommand: Command = {
  name: 'routes',
  usage: `hub routes set MODEL PROVIDER [--priority N] [--max-concurrent N|none] [--quality N|none]
               [--enable|--disable] [--json]`,
  summary: 'Who serves a model first, and how much of it at once',
  async run(context) {
    const [verb, ...args] = context.args
    if (verb !== 'set') throw new UsageError('say `set`')
    return await set({ ...context, args })
  },
}

async function set(context: Context): Promise<number> {
  const { values, positionals } = readOptions(
    context.args,
    {
      priority: { type: 'string' },
      'max-concurrent': { type: 'string' },
      quality: { type: 'string' },
      enable: { type: 'boolean' },
      disable: { type: 'boolean' },
      json: { type: 'boolean' },
    },
    2,
  )
  const [name, provider] = positionals
  if (!name || !provider) throw new UsageError('say which model, and which provider of it')
  const priority = wholeNumber(values.priority, 'priority')
  const maxConcurrent = numberOrNone(values['max-concurrent'], 'max-concurrent')
  const quality = numberOrNone(values.quality, 'quality')
  const isEnabled = onOff(values)
  const change: catalog.RouteChange = {
    ...(priority === undefined ? {} : { priority }),
    ...(maxConcurrent === undefined ? {} : { maxConcurrent }),
    ...(quality === undefined ? {} : { quality }),
    ...(isEnabled === undefined ? {} : { isEnabled }),
  }
  if (Object.keys(change).length === 0) throw new UsageError('say what to change')
  const hub = await context.openHub()
  try {
    const { deps } = hub
    const model = catalog.findEveryModel(deps.db, name)
    if (!model) throw unknownModel(name)
    if (!catalog.findRoute(deps.db, model.id, provider)) {
      throw new Error(
        `${provider} has no route for ${name}; \`hub models show ${name}\` shows who has`,
      )
    }
    const route = await catalog.setRoute(deps, SHELL, { model: name, provider }, change)
    const shown = presentRoute(deps, model, route)
    if (values.json) context.out(JSON.stringify(shown))
    else
      context.out(
        `${provider} for ${name}: priority ${shown.priority}, ${shown.max_concurrent ?? 'any number'} at once, quality ${shown.quality ?? 'usual'}, ${shown.is_enabled ? 'on' : 'off'} (${shown.state.replaceAll('_', ' ')})`,
      )
    return 0
  } finally {
    await hub.close()
  }
}

function numberOrNone(value: string | undefined, name: string): number | null | undefined {
  return value === 'none' ? null : wholeNumber(value, name)
}

import { isoSeconds } from '@/base/clock'
import { AppError } from '@/base/errors'
import { formatId, parseId } from '@/base/ids'
import type { Mode } from '@/deps'
import * as apps from '@/domain/apps'
import { type Command, type Context, SHELL, UsageError } from './command'
import { modeOf, readOptions, required } from './options'

export const keysCommand: Command = {
  name: 'keys',
  usage: `hub keys create --app S [--kind secret|publishable] [--mode live|test] [--json]
hub keys list --app S [--json]
hub keys revoke KEY_OR_ID [--json]`,
  summary: 'Create, list and revoke API keys',
  async run(context) {
    const [verb, ...rest] = context.args
    if (verb === 'create') return await create({ ...context, args: rest })
    if (verb === 'list') return await list({ ...context, args: rest })
    if (verb === 'revoke') return await revoke({ ...context, args: rest })
    throw new UsageError('say `create`, `list` or `revoke`')
  },
}

async function create(context: Context): Promise<number> {
  const { values } = readOptions(
    context.args,
    {
      app: { type: 'string' },
      kind: { type: 'string' },
      mode: { type: 'string' },
      json: { type: 'boolean' },
    },
    0,
  )
  const slug = required(values.app, 'app')
  const mode = modeOf(values.mode)
  const kind = values.kind ?? 'secret'
  if (kind !== 'secret' && kind !== 'publishable') {
    throw new UsageError('--kind takes secret or publishable')
  }
  const hub = await context.openHub()
  try {
    const key = await named(slug, () => apps.createKey(hub.deps, SHELL, { slug, mode, kind }))
    const shown = { id: formatId('key', key.id), kind, mode, api_key: key.text }
    if (values.json) context.out(JSON.stringify(shown))
    else
      context.out(
        `${shown.api_key}\n\nShown once; keep it now. To stop it: hub keys revoke ${shown.id}`,
      )
    return 0
  } finally {
    await hub.close()
  }
}

async function list(context: Context): Promise<number> {
  const { values } = readOptions(
    context.args,
    { app: { type: 'string' }, json: { type: 'boolean' } },
    0,
  )
  const slug = required(values.app, 'app')
  const hub = await context.openHub()
  try {
    const app = apps.findApp(hub.deps.db, slug)
    if (!app) throw unknownApp(slug)
    const realms = apps.realmsOf(hub.deps.db, app.id)
    const keys = (['live', 'test'] satisfies Mode[]).flatMap(mode =>
      apps.listRealmKeys(hub.deps.db, realms[mode].id).map(key => ({
        id: formatId('key', key.id),
        kind: key.kind,
        mode,
        display: key.display,
        created_at: isoSeconds(key.createdAt),
        last_used_at: key.lastUsedAt === null ? null : isoSeconds(key.lastUsedAt),
        revoked_at: key.revokedAt === null ? null : isoSeconds(key.revokedAt),
      })),
    )
    if (values.json) context.out(JSON.stringify(keys))
    else
      for (const key of keys) {
        const state = key.revoked_at ? `revoked ${key.revoked_at}` : 'works'
        context.out(`${key.id}  ${key.kind.padEnd(11)} ${key.display.padEnd(26)} ${state}`)
      }
    return 0
  } finally {
    await hub.close()
  }
}

async function revoke(context: Context): Promise<number> {
  const { values, positionals } = readOptions(context.args, { json: { type: 'boolean' } }, 1)
  const [which] = positionals
  if (!which) throw new UsageError('say which key: its id (key_...) or the key itself')
  const hub = await context.openHub()
  try {
    const id = parseId('key', which)
    const key = await apps
      .revokeKey(hub.deps, SHELL, id === null ? { text: which } : { id })
      .catch(error => {
        if (error instanceof AppError && error.code === 'not_found') {
          throw new Error('there is no such key; `hub keys list --app S` shows what there is')
        }
        throw error
      })
    const shown = { id: formatId('key', key.id), revoked: true }
    context.out(values.json ? JSON.stringify(shown) : `${key.display}... is revoked.`)
    return 0
  } finally {
    await hub.close()
  }
}

async function named<T>(slug: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_found') throw unknownApp(slug)
    throw error
  }
}

function unknownApp(slug: string): Error {
  return new Error(`there is no app ${slug}; \`hub apps list\` shows what there is`)
}

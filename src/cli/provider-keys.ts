import { AppError } from '@/base/errors'
import type { Deps } from '@/deps'
import * as providers from '@/domain/providers'
import { type Context, SHELL, UsageError } from './command'
import { readOptions } from './options'
import { presentCheck, unknownProvider } from './provider-check'
import { readSecret } from './read-secret'

const NOT_A_KEY =
  'what came is no key: a key has 1 to 1000 characters of ASCII, without spaces or line breaks; nothing was changed'

export async function setKey(context: Context): Promise<number> {
  const { values, positionals } = readOptions(
    context.args,
    { json: { type: 'boolean' }, 'no-check': { type: 'boolean' } },
    Number.POSITIVE_INFINITY,
  )
  const name = onlyNameIn(positionals)
  return await onProvider(context, name, async deps => {
    const key = await readKey(context, `the key of ${name}`)
    await providers.setKey(deps, SHELL, name, key)
    const [check = null] = values['no-check']
      ? []
      : await providers.checkEach(deps, [name], new AbortController().signal)
    const shown = { name, key: 'stored', check: check === null ? null : presentCheck(check) }
    if (values.json) context.out(JSON.stringify(shown))
    else {
      context.out(`The key of ${name} is stored, sealed.${overrules(deps, name)}`)
      if (check === null) context.out(`To check it: hub providers test ${name}`)
      else if (check.outcome === 'ok') context.out(`It works: ${name} took it.`)
      else {
        const message = check.message === null ? '' : `: ${check.message}`
        context.out(`The check says ${check.outcome.replaceAll('_', ' ')}${message}`)
        context.out(`To store another: hub providers set-key ${name}`)
      }
      if (providers.findProvider(deps, name)?.isEnabled !== 1) {
        context.out(`It is paused. To let it serve: hub providers resume ${name}`)
      }
    }
    return check === null || check.outcome === 'ok' || check.outcome === 'no_check' ? 0 : 1
  })
}

export async function removeKey(context: Context): Promise<number> {
  const { values, positionals } = readOptions(context.args, { json: { type: 'boolean' } }, 1)
  const name = nameIn(positionals)
  return await onProvider(context, name, async deps => {
    const removed = await providers.removeKey(deps, SHELL, name)
    const row = providers.findProvider(deps, name)
    const key = row ? providers.keySourceOf(deps, row) : 'none'
    const now =
      key === 'environment'
        ? `${row?.apiKeyEnvVar} of the environment is used now.`
        : 'No new job goes there, and what it works on cannot be fetched any more.'
    if (values.json) context.out(JSON.stringify({ name, removed, key }))
    else
      context.out(
        removed ? `The stored key of ${name} is gone. ${now}` : `${name} has no stored key.`,
      )
    return 0
  })
}

export async function setWebhookSecret(context: Context): Promise<number> {
  const { values, positionals } = readOptions(
    context.args,
    { json: { type: 'boolean' } },
    Number.POSITIVE_INFINITY,
  )
  const name = onlyNameIn(positionals)
  return await onProvider(context, name, async deps => {
    const secret = await readKey(context, `the webhook secret of ${name}`)
    await providers.setWebhookSecret(deps, SHELL, name, secret)
    const shown = { name, has_webhook_secret: true }
    context.out(
      values.json ? JSON.stringify(shown) : `The webhook secret of ${name} is stored, sealed.`,
    )
    return 0
  })
}

export async function removeWebhookSecret(context: Context): Promise<number> {
  const { values, positionals } = readOptions(context.args, { json: { type: 'boolean' } }, 1)
  const name = nameIn(positionals)
  return await onProvider(context, name, async deps => {
    const removed = await providers.removeWebhookSecret(deps, SHELL, name)
    const text = removed
      ? `The webhook secret of ${name} is gone; its jobs are polled.`
      : `${name} has no webhook secret.`
    context.out(values.json ? JSON.stringify({ name, removed }) : text)
    return 0
  })
}

export async function switchTo(context: Context, isEnabled: boolean): Promise<number> {
  const { values, positionals } = readOptions(context.args, { json: { type: 'boolean' } }, 1)
  const name = nameIn(positionals)
  return await onProvider(context, name, async deps => {
    const changed = await providers.setEnabled(deps, SHELL, name, isEnabled)
    const text = isEnabled
      ? `${name} serves again${changed ? '' : ', as before'}.`
      : `${name} is paused${changed ? '' : ', as before'}: no new job goes there. To undo it: hub providers resume ${name}`
    context.out(values.json ? JSON.stringify({ name, is_enabled: isEnabled, changed }) : text)
    return 0
  })
}

async function onProvider(
  context: Context,
  name: string,
  act: (deps: Deps) => Promise<number>,
): Promise<number> {
  const hub = await context.openHub()
  try {
    // Before anybody pastes a key for nothing.
    if (!providers.findProvider(hub.deps, name)) throw unknownProvider(name)
    return await act(hub.deps)
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_found') throw unknownProvider(name)
    throw error
  } finally {
    await hub.close()
  }
}

function nameIn([name]: string[]): string {
  if (!name) throw new UsageError('say which provider; `hub providers list` shows what there is')
  return name
}

/** A second word can only be the secret itself, so it is not repeated as other words are. */
function onlyNameIn(words: string[]): string {
  if (words.length <= 1) return nameIn(words)
  throw new UsageError('it is read from standard input and is never a word of the command')
}

async function readKey(context: Context, what: string): Promise<string> {
  const key = await readSecret(what, context.say)
  if (!providers.isProviderKey(key)) throw new Error(NOT_A_KEY)
  return key
}

function overrules(deps: Deps, name: string): string {
  const row = providers.findProvider(deps, name)
  return row && providers.hasTwoKeys(deps, row)
    ? ` It is used in place of ${row.apiKeyEnvVar} of the environment.`
    : ''
}

import { SECOND } from '@/base/clock'
import { AppError } from '@/base/errors'
import { BlockedDestination, FetchFailure } from '@/base/safe-fetch'
import type { Deps } from '@/deps'
import { toProviderError } from '@/providers/errors'
import type { Provider, ProviderContext } from '@/providers/spec'
import { findProvider, type ProviderRow } from './find'
import { keyOf, keySourceOf, webhookSecretOf } from './key'
import { shortMessage } from './short-message'

/**
 * - `ok`              it answered, and took the key
 * - `refused`         it answered for good no: the key, the credit, the right
 * - `limited`         it answered that we ask too often, so nothing is known of the rest
 * - `failing`         it answered something else
 * - `unreachable`     no answer within the time, or no way there
 * - `no_key`, `unreadable_key`  nothing was asked; the second: SECRET_KEY does not open the stored one
 * - `no_adapter`, `no_check`    this program does not speak to it, or has no call that costs nothing
 */
export type CheckOutcome =
  | 'ok'
  | 'refused'
  | 'limited'
  | 'failing'
  | 'unreachable'
  | 'no_key'
  | 'unreadable_key'
  | 'no_adapter'
  | 'no_check'

export type Check = {
  name: string
  outcome: CheckOutcome
  /** One short line for operators: what the vendor said, or what to do. Never holds the key. */
  message: string | null
  durationMs: number
  /** The row that was asked about: what is found out of an older key is not said of a newer one. */
  ofUpdate: number
}

export const CHECK_TIMEOUT_MS = 10 * SECOND
/** Accounts and lists of models are kilobytes; a page without end is no answer. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024

/**
 * Asks a vendor the cheapest thing that proves our key. Whatever happens on the way is an outcome; throws only
 * 404 for a vendor that is not here, and the reason of `signal` when that ended it.
 */
export async function checkProvider(
  deps: Deps,
  name: string,
  signal: AbortSignal,
  timeoutMs = CHECK_TIMEOUT_MS,
): Promise<Check> {
  const row = findProvider(deps, name)
  if (!row) throw new AppError('not_found')
  signal.throwIfAborted()
  const startedAt = performance.now()
  const { outcome, message } = await askIfPossible(deps, row, signal, timeoutMs)
  // What we ended ourselves says nothing of the vendor.
  signal.throwIfAborted()
  const durationMs = Math.round(performance.now() - startedAt)
  return { name, outcome, message, durationMs, ofUpdate: row.updatedAt }
}

type Found = Pick<Check, 'outcome' | 'message'>

async function askIfPossible(
  deps: Deps,
  row: ProviderRow,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Found> {
  const provider = deps.providers.get(row.name)
  if (!provider) return { outcome: 'no_adapter', message: 'this version does not speak to it' }
  const source = keySourceOf(deps, row)
  if (source === 'unreadable') return { outcome: 'unreadable_key', message: UNREADABLE }
  if (source === 'none' && provider.isKeyless !== true) {
    return { outcome: 'no_key', message: howToGiveKey(row) }
  }
  if (!provider.check)
    return { outcome: 'no_check', message: 'there is no call that costs nothing' }
  return await ask(deps, provider, signal, timeoutMs)
}

async function ask(
  deps: Deps,
  provider: Provider,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Found> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), timeoutMs)
  const ends = AbortSignal.any([signal, late.signal])
  const apiKey = keyOf(deps, provider.name)
  const call = async () =>
    await provider.check?.(contextOf(deps, { name: provider.name, apiKey, ends, timeoutMs }))
  try {
    // An adapter that does not listen to the signal must not hold up the others.
    await Promise.race([call(), ended(ends)])
    return { outcome: 'ok', message: null }
  } catch (error) {
    if (late.signal.aborted) {
      return { outcome: 'unreachable', message: `no answer within ${timeoutMs / SECOND} seconds` }
    }
    return { outcome: outcomeOf(error), message: shortMessage(wordsOf(error), apiKey) }
  } finally {
    clearTimeout(timer)
  }
}

function contextOf(
  deps: Deps,
  {
    name,
    apiKey,
    ends,
    timeoutMs,
  }: { name: string; apiKey: string | null; ends: AbortSignal; timeoutMs: number },
): ProviderContext {
  const nowMs = deps.clock.now()
  return {
    fetch: (url, init) =>
      deps.fetch(url, { ...init, signal: ends, timeoutMs, maxBytes: MAX_ANSWER_BYTES }),
    apiKey,
    webhookSecret: webhookSecretOf(deps, name),
    signal: ends,
    reference: 'check',
    attemptNumber: 1,
    callbackUrl: null,
    nowMs,
    deadlineMs: nowMs + timeoutMs,
  }
}

function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function outcomeOf(error: unknown): CheckOutcome {
  if (wayBroke(error)) return 'unreachable'
  const { kind, isPermanent } = toProviderError(error)
  if (kind === 'rate_limited') return 'limited'
  // Nothing but the key was asked about, so their final no is about the key.
  return isPermanent || kind === 'rejected' ? 'refused' : 'failing'
}

/** An adapter says in its own error what broke below it. */
function wayBroke(error: unknown): BlockedDestination | FetchFailure | null {
  if (error instanceof BlockedDestination || error instanceof FetchFailure) return error
  return error instanceof Error && error.cause !== undefined ? wayBroke(error.cause) : null
}

function wordsOf(error: unknown): string {
  const broken = wayBroke(error)
  if (broken instanceof FetchFailure) return broken.message.replaceAll('_', ' ')
  return (broken ?? toProviderError(error)).message
}

const UNREADABLE =
  'SECRET_KEY does not open its stored key; name the earlier one in SECRET_KEY_PREVIOUS, or store it anew'

function howToGiveKey({ name, apiKeyEnvVar }: ProviderRow): string {
  const store = `\`hub providers set-key ${name}\``
  return apiKeyEnvVar === null ? store : `set ${apiKeyEnvVar}, or ${store}`
}

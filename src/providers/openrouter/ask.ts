import { MINUTE } from '@/base/clock'
import { FetchFailure } from '@/base/safe-fetch'
import { ProviderError, toProviderError } from '../errors'
import { call, type VendorAnswer, type VendorCall } from '../http'
import type { ProviderContext } from '../spec'

/**
 * Pictures and long texts take up to some minutes, whichever vendor stands behind. After five minutes an
 * answer is hardly still coming.
 */
const ANSWER_TIMEOUT_MS = 5 * MINUTE

/**
 * One call with the key. Throws `unavailable` without a key, and `unknown_outcome` once the attempt's signal
 * has fired: whoever asked is gone, so nobody may conclude from it that another vendor should try.
 */
export async function ask(ctx: ProviderContext, request: VendorCall): Promise<VendorAnswer> {
  if (ctx.apiKey === null) throw new ProviderError('unavailable', 'openrouter has no key')
  throwIfAborted(ctx)
  const bounded: VendorCall & { signal: AbortSignal } = {
    timeoutMs: ANSWER_TIMEOUT_MS,
    ...request,
    headers: { ...request.headers, authorization: `Bearer ${ctx.apiKey}` },
    signal: ctx.signal,
  }
  return await call(ctx, bounded)
}

/**
 * The same about an operation that runs there. A key that is gone or a vendor that cannot be reached ends
 * nothing, so whatever goes wrong on the way is `unknown_outcome`.
 */
export async function askAbout(ctx: ProviderContext, request: VendorCall): Promise<VendorAnswer> {
  try {
    return await ask(ctx, request)
  } catch (thrown) {
    const { message } = toProviderError(thrown)
    throw new ProviderError('unknown_outcome', message, { cause: thrown })
  }
}

/**
 * A file that the vendor hands out to the key only; null when there is none any more, or one that is too
 * large for us. Throws `unknown_outcome` for whatever goes wrong on the way: the file stays where it is.
 */
export async function askForFile(ctx: ProviderContext, url: string): Promise<Uint8Array | null> {
  throwIfAborted(ctx)
  const headers = { authorization: `Bearer ${ctx.apiKey ?? ''}` }
  const init = { headers, maxBytes: MAX_FILE_BYTES, timeoutMs: FILE_TIMEOUT_MS, signal: ctx.signal }
  try {
    const response = await ctx.fetch(url, init)
    if (response.ok) return await response.bytes()
    // A body that nobody reads would hold its connection until the timeout.
    await response.body?.cancel()
    if (response.status === 404 || response.status === 410) return null
    throw new Error(`the file answered ${response.status}`)
  } catch (error) {
    if (error instanceof FetchFailure && error.code === 'too_large') return null
    throw toProviderError(error)
  }
}

/** As much as is taken of an output that is only an address. */
const MAX_FILE_BYTES = 100 * 1024 * 1024
const FILE_TIMEOUT_MS = 2 * MINUTE

export function throwIfAborted({ signal }: ProviderContext): void {
  if (signal.aborted) throw new ProviderError('unknown_outcome', 'the attempt was cut off')
}

/** A vendor may quote the key that it refuses, and messages go to the log. */
export async function withoutKey<T>(ctx: ProviderContext, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (thrown) {
    const error = toProviderError(thrown)
    if (!ctx.apiKey || !error.message.includes(ctx.apiKey)) throw error
    // Without its cause, which says the same.
    throw new ProviderError(error.kind, error.message.replaceAll(ctx.apiKey, '***'), {
      reason: error.reason,
      ...(error.retryAfterMs === null ? {} : { retryAfterMs: error.retryAfterMs }),
    })
  }
}

import { MINUTE } from '@/base/clock'
import { ProviderError, toProviderError } from '../errors'
import { call, type VendorAnswer, type VendorCall } from '../http'
import type { ProviderContext } from '../spec'

/**
 * A picture usually takes 10 to 120 s, and a large one of the best quality longer. After five minutes an
 * answer is hardly still coming.
 */
const ANSWER_TIMEOUT_MS = 5 * MINUTE

/**
 * One call with the key. Throws `unavailable` without a key, and `unknown_outcome` once the attempt's signal
 * has fired: whoever asked is gone, so nobody may conclude from it that another vendor should try.
 */
export async function ask(ctx: ProviderContext, request: VendorCall): Promise<VendorAnswer> {
  if (ctx.apiKey === null) throw new ProviderError('unavailable', 'openai has no key')
  throwIfAborted(ctx)
  const bounded: VendorCall & { signal: AbortSignal } = {
    timeoutMs: ANSWER_TIMEOUT_MS,
    ...request,
    headers: { ...request.headers, authorization: `Bearer ${ctx.apiKey}` },
    signal: ctx.signal,
  }
  return await call(ctx, bounded)
}

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

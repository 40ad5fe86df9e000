import { ProviderError } from '../errors'
import { call, type VendorAnswer, type VendorCall } from '../http'
import type { ProviderContext } from '../spec'

/** One call with the key, so only for addresses of fal's own. Throws ProviderError for what happened on the way. */
export async function ask(ctx: ProviderContext, request: VendorCall): Promise<VendorAnswer> {
  if (ctx.apiKey === null) throw new ProviderError('unavailable', 'there is no key for fal')
  const signed = {
    ...request,
    headers: { accept: 'application/json', authorization: `Key ${ctx.apiKey}` },
    // The guarded fetch hangs up when it fires.
    signal: ctx.signal,
  }
  try {
    return await call(ctx, signed)
  } catch (error) {
    if (!ctx.signal.aborted) throw error
    throw new ProviderError('unknown_outcome', 'aborted while fal was asked', { cause: error })
  }
}

/** The same about a request that is known to be there: what happens on the way says nothing of it. */
export async function askAbout(ctx: ProviderContext, request: VendorCall): Promise<VendorAnswer> {
  try {
    return await ask(ctx, request)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new ProviderError('unknown_outcome', message, { cause: error })
  }
}

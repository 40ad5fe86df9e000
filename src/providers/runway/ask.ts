import { ProviderError } from '../errors'
import { call, type VendorAnswer, type VendorCall } from '../http'
import type { ProviderContext } from '../spec'

/** The form of the API that these schemas are written from. Runway wants it with every call. */
const API_VERSION = '2024-11-06'

/** One call with the key. Throws ProviderError for what happened on the way. */
export async function ask(ctx: ProviderContext, request: VendorCall): Promise<VendorAnswer> {
  if (ctx.apiKey === null) throw new ProviderError('unavailable', 'there is no key for Runway')
  const signed = {
    ...request,
    headers: {
      accept: 'application/json',
      authorization: `Bearer ${ctx.apiKey}`,
      'x-runway-version': API_VERSION,
    },
    // The guarded fetch hangs up when it fires.
    signal: ctx.signal,
  }
  try {
    return await call(ctx, signed)
  } catch (error) {
    if (!ctx.signal.aborted) throw error
    throw new ProviderError('unknown_outcome', 'aborted while Runway was asked', { cause: error })
  }
}

/** The same about a task that is known to be there: what happens on the way says nothing of it. */
export async function askAbout(ctx: ProviderContext, request: VendorCall): Promise<VendorAnswer> {
  try {
    return await ask(ctx, request)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new ProviderError('unknown_outcome', message, { cause: error })
  }
}

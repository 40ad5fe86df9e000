import { ProviderError } from '../errors'
import { call, type VendorAnswer, type VendorCall } from '../http'
import type { ProviderContext } from '../spec'

/** One call with the key, so only to the vendor. Throws `unavailable` where there is no key to send. */
export async function ask(ctx: ProviderContext, request: VendorCall): Promise<VendorAnswer> {
  const { apiKey } = ctx
  // A key with a line break would turn up in the message of whoever refuses to send it.
  if (apiKey === null || !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new ProviderError('unavailable', 'there is no usable key for defapi')
  }
  return await call(ctx, { ...request, headers: { authorization: `Bearer ${apiKey}` } })
}

/** The same about what is known to have begun: nothing that happens on the way says that it has ended. */
export async function askAbout(ctx: ProviderContext, request: VendorCall): Promise<VendorAnswer> {
  return await ask(ctx, request).catch(error => {
    const message = error instanceof Error ? error.message : String(error)
    throw new ProviderError('unknown_outcome', message, { cause: error })
  })
}

import { ProviderError } from '../errors'
import { call, type VendorAnswer, type VendorCall } from '../http'
import type { ProviderContext } from '../spec'

export const GEMINI_BASE_URL = 'https://generativelanguage.googleapis.com/v1beta'

/** One call with the key, so only to Google. Throws `unavailable` where there is no key to send. */
export async function ask(ctx: ProviderContext, request: VendorCall): Promise<VendorAnswer> {
  return await call(ctx, { ...request, headers: { ...request.headers, ...keyHeaders(ctx) } })
}

/** The same about what is known to have begun: nothing that happens on the way says that it has ended. */
export async function askAbout(ctx: ProviderContext, request: VendorCall): Promise<VendorAnswer> {
  return await ask(ctx, request).catch(error => {
    const message = error instanceof Error ? error.message : String(error)
    throw new ProviderError('unknown_outcome', message, { cause: error })
  })
}

/** In a header, where no log of addresses sees it. */
export function keyHeaders({ apiKey }: ProviderContext): Record<string, string> {
  // A key with a line break would turn up in the message of whoever refuses to send it.
  if (apiKey !== null && /^[\x21-\x7e]+$/.test(apiKey)) return { 'x-goog-api-key': apiKey }
  throw new ProviderError('unavailable', 'there is no usable key for gemini')
}

/** Lists name models as `models/<id>`, people as `<id>`. */
export function modelPath(model: string): string {
  return `/models/${encodeURIComponent(model.replace(/^models\//, ''))}`
}

import { MINUTE } from '@/base/clock'
import { FetchFailure } from '@/base/safe-fetch'
import { ProviderError, toProviderError } from '../errors'
import { fetchBytes } from '../fetch-bytes'
import { createAsker } from '../http'
import type { ProviderContext } from '../spec'

export const { ask, askAbout } = createAsker('openrouter', credentials)

/**
 * A file that the vendor hands out to the key only; null when there is none any more, or one that is too
 * large for us. Throws `unknown_outcome` for whatever goes wrong on the way: the file stays where it is.
 */
export async function askForFile(ctx: ProviderContext, url: string): Promise<Uint8Array | null> {
  const headers = ctx.apiKey === null ? {} : credentials(ctx.apiKey)
  const init = { headers, maxBytes: MAX_FILE_BYTES, timeoutMs: FILE_TIMEOUT_MS }
  try {
    const { status, bytes } = await fetchBytes(ctx, url, init)
    if (bytes || status === 404 || status === 410) return bytes
    throw new ProviderError('unknown_outcome', `the file answered ${status}`)
  } catch (error) {
    if (error instanceof FetchFailure && error.code === 'too_large') return null
    throw toProviderError(error)
  }
}

/** As much as is taken of an output that is only an address. */
const MAX_FILE_BYTES = 100 * 1024 * 1024
const FILE_TIMEOUT_MS = 2 * MINUTE

function credentials(apiKey: string): Record<string, string> {
  return { authorization: `Bearer ${apiKey}` }
}

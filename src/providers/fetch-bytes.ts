import { ProviderError } from './errors'
import type { ProviderContext, ProviderFetchInit } from './spec'

/** `bytes` is null unless the status is one of success; `location` is where a redirect leads to. */
export type FetchedBytes = {
  status: number
  location: string | null
  bytes: Uint8Array<ArrayBuffer> | null
}

/**
 * A file, which ends when the signal of the context says so: `unknown_outcome`, for whoever stops waiting
 * asks nobody for a second try. Whatever else goes wrong is thrown as it is: what it means depends on whose
 * file it was.
 */
export async function fetchBytes(
  ctx: Pick<ProviderContext, 'fetch' | 'signal'>,
  url: string,
  init: ProviderFetchInit,
): Promise<FetchedBytes> {
  const { signal } = ctx
  try {
    signal.throwIfAborted()
    const response = await ctx.fetch(url, { ...init, signal })
    const { status, headers } = response
    const answer = { status, location: headers.get('location') }
    if (response.ok) return { ...answer, bytes: new Uint8Array(await response.arrayBuffer()) }
    // A body that nobody reads would hold its connection until the timeout.
    await response.body?.cancel()
    return { ...answer, bytes: null }
  } catch (error) {
    if (!signal.aborted) throw error
    throw new ProviderError('unknown_outcome', 'we stopped waiting for a file', { cause: error })
  }
}

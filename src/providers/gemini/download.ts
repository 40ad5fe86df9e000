import { MINUTE } from '@/base/clock'
import { FetchFailure } from '@/base/safe-fetch'
import { ProviderError } from '../errors'
import { fetchBytes } from '../fetch-bytes'
import type { ProviderContext } from '../spec'
import { keyHeader } from './api'

/** As much as the hub takes of one output. */
const MAX_VIDEO_BYTES = 100 * 1024 * 1024
const DOWNLOAD_TIMEOUT_MS = 2 * MINUTE
const MAX_REDIRECTS = 3
/** Where Google keeps files. They are told no key. */
const GOOGLES_FILES = /(?:^|\.)(?:googleapis|googleusercontent)\.com$/

/**
 * A made video as bytes: its address is worth nothing without the key, and the key goes to `origin` alone.
 * Throws `unavailable` where the video is out of reach for good, `unknown_outcome` where it is for now.
 */
export async function downloadVideo(
  uri: string,
  origin: string,
  ctx: ProviderContext,
): Promise<Uint8Array> {
  if (originOf(uri) !== origin) throw gone('the address of a video is not of this vendor')
  try {
    return await follow(uri, origin, ctx, MAX_REDIRECTS)
  } catch (error) {
    if (error instanceof ProviderError) throw error
    if (error instanceof FetchFailure && error.code === 'too_large') {
      throw gone(`a video has more than ${MAX_VIDEO_BYTES} bytes`)
    }
    // What breaks on the way says nothing of the video: it is there and is asked for again.
    throw new ProviderError('unknown_outcome', 'a video could not be fetched', { cause: error })
  }
}

/** Google answers with a redirect to another path of the same host. */
async function follow(
  uri: string,
  origin: string,
  ctx: ProviderContext,
  redirectsLeft: number,
): Promise<Uint8Array> {
  const { status, location, bytes } = await fetchBytes(ctx, uri, {
    headers: originOf(uri) === origin && ctx.apiKey !== null ? keyHeader(ctx.apiKey) : {},
    maxBytes: MAX_VIDEO_BYTES,
    timeoutMs: DOWNLOAD_TIMEOUT_MS,
  })
  if (bytes && bytes.length > 0) return bytes
  if (status >= 300 && status < 400 && location !== null && redirectsLeft > 0) {
    const next = new URL(location, uri)
    if (!mayFollow(next, origin)) throw gone('a video was moved to another host')
    return await follow(next.href, origin, ctx, redirectsLeft - 1)
  }
  if (status === 404 || status === 410) throw gone(`a video answered ${status}`)
  throw new ProviderError('unknown_outcome', `a video answered ${status} without any bytes`)
}

function mayFollow(next: URL, origin: string): boolean {
  return next.origin === origin || (next.protocol === 'https:' && GOOGLES_FILES.test(next.hostname))
}

function originOf(uri: string): string | null {
  return URL.parse(uri)?.origin ?? null
}

/** The operation has ended and brings us nothing. */
function gone(message: string): ProviderError {
  return new ProviderError('unavailable', message)
}

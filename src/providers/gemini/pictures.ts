import { SECOND } from '@/base/clock'
import { BlockedDestination, FetchFailure } from '@/base/safe-fetch'
import { isInHand, readDataUrl, tooLargeFor } from '../data-url'
import { ProviderError } from '../errors'
import { fetchBytes } from '../fetch-bytes'
import { pictureKind } from '../picture-kind'
import type { ProviderContext } from '../spec'

/** A picture as it goes into a request. */
export type Picture = { mimeType: string; data: string }

const MAX_PICTURE_BYTES = 20 * 1024 * 1024
const DOWNLOAD_TIMEOUT_MS = 30 * SECOND
const MAX_REDIRECTS = 3
/** The host is busy or waits for us: another try may well work. Other 4xx say that the address is wrong. */
const FOR_NOW = [408, 425, 429]

/**
 * A request may have 100 MB (it was 20 until January 2026), pictures counted as the base64 that they are sent
 * as. The rest is left to the words.
 */
const MOST_INLINE_BYTES = 99_000_000

/**
 * The caller's pictures, for a vendor that takes bytes only. Nothing has begun while they are fetched: a
 * wrong address or no picture is `rejected`, a host that is down `unavailable`.
 */
export async function takePictures(images: string[], ctx: ProviderContext): Promise<Picture[]> {
  const pictures = await Promise.all(
    images.map(image => (isInHand(image) ? inHand(image) : fetchPicture(image, ctx))),
  )
  const length = pictures.reduce((sum, { data }) => sum + data.length, 0)
  if (length > MOST_INLINE_BYTES) throw tooLargeFor('gemini', MOST_INLINE_BYTES)
  return pictures
}

function inHand(image: string): Picture {
  const { contentType, base64 } = readDataUrl(image)
  return { mimeType: contentType, data: base64 }
}

async function fetchPicture(url: string, ctx: ProviderContext): Promise<Picture> {
  try {
    const bytes = await download(url, ctx, MAX_REDIRECTS)
    const kind = pictureKind(bytes)
    if (kind === null) throw unusable('an input picture is neither PNG, JPEG nor WebP')
    return { mimeType: `image/${kind}`, data: bytes.toBase64() }
  } catch (error) {
    throw whyNot(error)
  }
}

async function download(
  url: string,
  ctx: ProviderContext,
  redirectsLeft: number,
): Promise<Uint8Array> {
  const limits = { maxBytes: MAX_PICTURE_BYTES, timeoutMs: DOWNLOAD_TIMEOUT_MS }
  const { status, location, bytes } = await fetchBytes(ctx, url, limits)
  if (bytes) return bytes
  if (status >= 300 && status < 400 && location !== null && redirectsLeft > 0) {
    return await download(new URL(location, url).href, ctx, redirectsLeft - 1)
  }
  if (status >= 500 || FOR_NOW.includes(status)) {
    throw new ProviderError('unavailable', `the host of an input picture answered ${status}`)
  }
  throw unusable(`an input picture answered ${status}`)
}

function whyNot(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error
  if (error instanceof BlockedDestination) return unusable(error.message)
  if (error instanceof FetchFailure && error.code === 'too_large') {
    return unusable(`an input picture has more than ${MAX_PICTURE_BYTES} bytes`)
  }
  return new ProviderError('unavailable', 'an input picture could not be fetched', { cause: error })
}

function unusable(message: string): ProviderError {
  return new ProviderError('rejected', message, { reason: 'input' })
}

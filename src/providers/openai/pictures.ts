import { SECOND } from '@/base/clock'
import { isInHand, readDataUrl, tooLargeFor } from '../data-url'
import { ProviderError } from '../errors'
import { fetchBytes } from '../fetch-bytes'
import { pictureKind } from '../picture-kind'
import type { ProviderContext } from '../spec'

export type Picture = { bytes: Uint8Array<ArrayBuffer>; type: string; name: string }

/** The vendor's own limit, of a picture and of what a chat holds altogether. */
export const MOST_BYTES = 50_000_000
/** Of one that we fetch less: sixteen of them are held at once, and nobody has looked at them before. */
const MAX_BYTES = 20 * 1024 * 1024
const TIMEOUT_MS = 30 * SECOND

/** The bytes of a picture, fetched where the caller gave an address of it. */
export async function takePicture(
  image: string,
  label: string,
  ctx: ProviderContext,
): Promise<Picture> {
  if (!isInHand(image)) return await fetchPicture(image, label, ctx)
  const { bytes, kind, contentType } = readDataUrl(image)
  if (bytes.length > MOST_BYTES) throw tooLargeFor('openai', MOST_BYTES)
  return { bytes, type: contentType, name: `${label}.${kind}` }
}

/**
 * Whatever goes wrong is the caller's: `rejected`, and never `unavailable`, or anybody could make this vendor
 * look broken by naming hosts that are.
 */
async function fetchPicture(url: string, label: string, ctx: ProviderContext): Promise<Picture> {
  const limits = { maxBytes: MAX_BYTES, timeoutMs: TIMEOUT_MS }
  const { status, bytes } = await fetchBytes(ctx, url, limits).catch((error: unknown) => {
    throw error instanceof ProviderError ? error : unusable(label, 'could not be fetched', error)
  })
  if (!bytes) throw unusable(label, `answered ${status}`)
  // The vendor refuses a part whose declared type is missing or wrong.
  const kind = pictureKind(bytes)
  if (!kind) throw unusable(label, 'is neither PNG, JPEG nor WebP')
  return { bytes, type: `image/${kind}`, name: `${label}.${kind}` }
}

function unusable(label: string, why: string, cause?: unknown): ProviderError {
  const told = cause instanceof Error ? `: ${cause.message}` : ''
  return new ProviderError('rejected', `the input picture ${label} ${why}${told}`, {
    reason: 'input',
    ...(cause === undefined ? {} : { cause }),
  })
}

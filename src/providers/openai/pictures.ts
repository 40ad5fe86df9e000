import { SECOND } from '@/base/clock'
import { ProviderError } from '../errors'
import { fetchBytes } from '../fetch-bytes'
import type { ProviderContext } from '../spec'

export type Picture = { bytes: Uint8Array<ArrayBuffer>; type: string; name: string }

/** Less than the vendor's 50 MB: sixteen of them are held at once. */
const MAX_BYTES = 20 * 1024 * 1024
const TIMEOUT_MS = 30 * SECOND

/**
 * The bytes of a picture that the caller gave an address of. Whatever goes wrong is the caller's: `rejected`,
 * and never `unavailable`, or anybody could make this vendor look broken by naming hosts that are.
 */
export async function fetchPicture(
  url: string,
  label: string,
  ctx: ProviderContext,
): Promise<Picture> {
  const limits = { maxBytes: MAX_BYTES, timeoutMs: TIMEOUT_MS }
  const { status, bytes } = await fetchBytes(ctx, url, limits).catch((error: unknown) => {
    throw error instanceof ProviderError ? error : unusable(label, 'could not be fetched', error)
  })
  if (!bytes) throw unusable(label, `answered ${status}`)
  const kind = kindOf(bytes)
  if (!kind) throw unusable(label, 'is neither PNG, JPEG nor WebP')
  return { bytes, type: `image/${kind}`, name: `${label}.${kind}` }
}

/** What the first bytes say; the vendor refuses a part whose declared type is missing or wrong. */
function kindOf(bytes: Uint8Array): 'png' | 'jpeg' | 'webp' | null {
  const head = Buffer.from(bytes.subarray(0, 12)).toString('latin1')
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'png'
  if (head.startsWith('\xff\xd8\xff')) return 'jpeg'
  return head.startsWith('RIFF') && head.endsWith('WEBP') ? 'webp' : null
}

function unusable(label: string, why: string, cause?: unknown): ProviderError {
  const told = cause instanceof Error ? `: ${cause.message}` : ''
  return new ProviderError('rejected', `the input picture ${label} ${why}${told}`, {
    reason: 'input',
    ...(cause === undefined ? {} : { cause }),
  })
}

import { type FileId, formatId } from '@/base/ids'
import { BlockedDestination, FetchFailure } from '@/base/safe-fetch'
import { sha256Hex } from '@/base/secrets'
import type { Deps } from '@/deps'
import type { Output } from '@/providers/spec'
import { type MediaType, sniff } from './sniff'

/** A blob that is safely stored, and what its row will say. */
export type Taken = {
  fileId: FileId
  contentType: MediaType
  bytes: number
  width: number | null
  height: number | null
  sha256: string
}

/** What a provider made is not something we can serve. The message is for the log. */
export class Unusable extends Error {
  override readonly name = 'Unusable'
}

/** It may be fetched at another time, or never. The message is for the log. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

/** Bounds of one output. A 4K picture is about 30 MB as PNG. */
const MAX_BYTES = 100 * 1024 * 1024
const MAX_PIXELS = 64_000_000
const FETCH_TIMEOUT_MS = 60_000

/**
 * Brings one made file into the store under its file id. Run again it overwrites the same blob with the
 * same bytes, so a crash in between costs nothing. Throws Unusable (for good) or Unreachable (for now).
 */
export async function take(
  deps: Pick<Deps, 'storage' | 'fetch'>,
  output: Extract<Output, { type: 'file' }>,
  fileId: FileId,
  signal: AbortSignal,
): Promise<Taken> {
  const bytes = 'bytes' in output ? output.bytes : await download(deps, output.url, signal)
  if (bytes.length === 0) throw new Unusable('an empty file')
  if (bytes.length > MAX_BYTES) throw new Unusable(`a file of ${bytes.length} bytes`)
  const contentType = sniff(bytes)
  if (!contentType) throw new Unusable('neither PNG, JPEG, WebP nor MP4')
  const { width, height } = await measure(bytes, contentType)
  await deps.storage.put(formatId('file', fileId), bytes)
  return { fileId, contentType, bytes: bytes.length, width, height, sha256: sha256Hex(bytes) }
}

async function download(deps: Pick<Deps, 'fetch'>, url: string, signal: AbortSignal) {
  try {
    const response = await deps.fetch(url, {
      signal,
      maxBytes: MAX_BYTES,
      timeoutMs: FETCH_TIMEOUT_MS,
    })
    if (response.ok) return new Uint8Array(await response.arrayBuffer())
    // A body that nobody reads would hold its connection until the timeout.
    await response.body?.cancel()
    throw new Unreachable(`the output answered ${response.status}`)
  } catch (error) {
    if (error instanceof Unreachable) throw error
    throw isForGood(error)
      ? new Unusable('an output that we never fetch', { cause: error })
      : new Unreachable('the output could not be fetched', { cause: error })
  }
}

/** Refused by rule or beyond all bounds: asking again changes nothing. */
function isForGood(error: unknown): boolean {
  if (error instanceof BlockedDestination) return true
  return error instanceof FetchFailure && error.code === 'too_large'
}

async function measure(bytes: Uint8Array, contentType: MediaType) {
  if (contentType === 'video/mp4') return { width: null, height: null }
  try {
    const { width, height } = await new Bun.Image(bytes, { maxPixels: MAX_PIXELS }).metadata()
    if (width * height > MAX_PIXELS) throw new Unusable(`a picture of ${width} x ${height}`)
    return { width, height }
  } catch (error) {
    if (error instanceof Unusable) throw error
    throw new Unusable('a picture that cannot be read', { cause: error })
  }
}

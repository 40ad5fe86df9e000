import { type FileId, formatId } from '@/base/ids'
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

/** Bounds of one output. A 4K picture is about 30 MB as PNG. */
const MAX_BYTES = 100 * 1024 * 1024
const MAX_PIXELS = 64_000_000
const FETCH_TIMEOUT_MS = 60_000

/**
 * Brings one made file into the store under its file id. Run again it overwrites the same blob with the
 * same bytes, so a crash in between costs nothing. Throws Unusable, or what the fetch threw (try again).
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
  const response = await deps.fetch(url, {
    signal,
    maxBytes: MAX_BYTES,
    timeoutMs: FETCH_TIMEOUT_MS,
  })
  if (!response.ok) throw new Error(`the output answered ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
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

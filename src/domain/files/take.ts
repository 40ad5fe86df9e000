import { type FileId, formatId } from '@/base/ids'
import { BlockedDestination, FetchFailure } from '@/base/safe-fetch'
import { sha256Hex } from '@/base/secrets'
import { LeftLine } from '@/base/turnstile'
import type { Deps } from '@/deps'
import type { Output } from '@/providers/spec'
import { isGif, stillOf } from './gif'
import { linesOf, UNANNOUNCED_BYTES } from './lines'
import { measureMp4 } from './mp4'
import { type MediaType, sniff } from './sniff'

/** A blob that is safely stored, and what its row will say. */
export type Taken = {
  fileId: FileId
  contentType: MediaType
  bytes: number
  width: number | null
  height: number | null
  /** Of films. */
  durationMs: number | null
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
/** The wait for room in memory counts: what is in front of it has the same time, and then it is retried. */
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
  try {
    if ('bytes' in output) return await keep(deps, output.bytes, fileId, signal)
    const { downloads } = linesOf(deps.storage)
    return await downloads.pass(signal, () => download(deps, output.url, fileId, signal))
  } catch (error) {
    if (!(error instanceof LeftLine)) throw error
    throw new Unreachable('the output could not be taken in time', { cause: error })
  }
}

/** Its head first, which tells how much memory the body needs; the body is read when there is room for it. */
async function download(
  deps: Pick<Deps, 'storage' | 'fetch'>,
  url: string,
  fileId: FileId,
  signal: AbortSignal,
): Promise<Taken> {
  const answer = await fromAfar(() => ask(deps, url, signal))
  const keepBody = async () => {
    const bytes = await fromAfar(async () => new Uint8Array(await answer.arrayBuffer()))
    return await keep(deps, bytes, fileId, signal)
  }
  // Whoever leaves this line had the connection cut by the same signal.
  const { memory } = linesOf(deps.storage)
  return await memory.pass(signal, keepBody, announcedBytes(answer) ?? UNANNOUNCED_BYTES)
}

async function ask(deps: Pick<Deps, 'fetch'>, url: string, signal: AbortSignal) {
  const answer = await deps.fetch(url, {
    signal,
    maxBytes: MAX_BYTES,
    timeoutMs: FETCH_TIMEOUT_MS,
  })
  const bytes = announcedBytes(answer) ?? 0
  if (answer.ok && bytes <= MAX_BYTES) return answer
  // A body that nobody reads would hold its connection until the timeout.
  await answer.body?.cancel()
  if (answer.ok) throw new Unusable(`an output of ${bytes} bytes`)
  throw new Unreachable(`the output answered ${answer.status}`)
}

/** What the peer promised; its connection ends with fewer, and never gives more. */
function announcedBytes(answer: Response): number | null {
  const length = answer.headers.get('content-length') ?? ''
  return /^\d{1,15}$/.test(length) ? Number(length) : null
}

async function fromAfar<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof Unreachable || error instanceof Unusable) throw error
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

async function keep(
  deps: Pick<Deps, 'storage'>,
  made: Uint8Array,
  fileId: FileId,
  signal: AbortSignal,
): Promise<Taken> {
  if (made.length === 0) throw new Unusable('an empty file')
  if (made.length > MAX_BYTES) throw new Unusable(`a file of ${made.length} bytes`)
  const { stores } = linesOf(deps.storage)
  return await stores.pass(signal, async () => {
    const bytes = isGif(made) ? await readable(() => stillOf(made, signal)) : made
    const contentType = sniff(bytes)
    if (!contentType) throw new Unusable('neither PNG, JPEG, WebP, GIF nor MP4')
    const { width, height, durationMs } = await measure(bytes, contentType)
    await deps.storage.put(formatId('file', fileId), bytes)
    const sha256 = sha256Hex(bytes)
    return { fileId, contentType, bytes: bytes.length, width, height, durationMs, sha256 }
  })
}

async function measure(bytes: Uint8Array, contentType: MediaType) {
  if (contentType === 'video/mp4') {
    const film = measureMp4(bytes)
    // The index says where each picture of a film is. Without it no player shows anything, and asking for
    // the file again brings the same one: it was cut off where it was made, or is no film. The user gets
    // the tokens back rather than a file that does not open.
    if (!film) throw new Unusable('a film without an index or without pictures')
    return film
  }
  const { width, height } = await readable(() =>
    new Bun.Image(bytes, { maxPixels: MAX_PIXELS }).metadata(),
  )
  if (width * height > MAX_PIXELS) throw new Unusable(`a picture of ${width} x ${height}`)
  return { width, height, durationMs: null }
}

async function readable<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof LeftLine) throw error
    throw new Unusable('a picture that cannot be read', { cause: error })
  }
}

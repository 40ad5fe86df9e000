import { setTimeout as sleep } from 'node:timers/promises'
import type { FileId } from '@/base/ids'
import type { Deps } from '@/deps'
import { type Taken, take, Unreachable, Unusable } from '@/domain/files'
import type { Output } from '@/providers/spec'

/** Our own disk did not take them, and nobody else has them: they are lost. */
export class LostInHand extends Error {
  override readonly name = 'LostInHand'
}

/** A disk that is not back by then is full, or broken: its operator's business, and minutes away. */
const PAUSES_MS = [250, 750, 2_000]

/**
 * Stores bytes that exist nowhere but here, because their vendor answered at once and keeps nothing. Throws
 * what `take` throws about the bytes, and LostInHand when our own disk would not have them.
 */
export async function takeInHand(
  deps: Deps,
  output: Extract<Output, { type: 'file' }>,
  fileId: FileId,
  signal: AbortSignal,
): Promise<Taken> {
  for (const pauseMs of PAUSES_MS) {
    try {
      return await take(deps, output, fileId, signal)
    } catch (error) {
      if (isAboutBytes(error)) throw error
      deps.log.warn('bytes in hand could not be stored yet', { error })
    }
    await sleep(pauseMs, undefined, { signal })
  }
  return await take(deps, output, fileId, signal).catch(error => {
    throw isAboutBytes(error) ? error : new LostInHand('bytes were not stored', { cause: error })
  })
}

function isAboutBytes(error: unknown): boolean {
  return error instanceof Unusable || error instanceof Unreachable
}

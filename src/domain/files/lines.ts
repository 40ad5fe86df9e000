import { createTurnstile, type Turnstile } from '@/base/turnstile'
import type { Storage } from '@/storage/spec'

/** Where outputs wait for their turn, because hundreds of jobs may finish in one second. */
export type Lines = {
  downloads: Turnstile
  /**
   * In bytes. Each body gets what it announced, so that pictures of up to 16 MB never wait for it and large
   * films take turns. One that announces nothing counts as such a picture: counted as the most that it may
   * be, two slow ones would keep everybody else waiting for as long as they like.
   */
  memory: Turnstile
  /** Apart from the downloads: bytes in hand are in memory already, and wait for nobody's slow network. */
  stores: Turnstile
}

/** Sixteen at once fill the network and the disk of a small machine; more would only share them. */
const AT_ONCE = 16
const MEMORY_BYTES = 256 * 1024 * 1024
export const UNANNOUNCED_BYTES = MEMORY_BYTES / AT_ONCE

const all = new WeakMap<Storage, Lines>()

/**
 * One set for a whole process, which has one store. It hangs on the store and not on this file, so that a
 * hub that is gone takes along what never ended in it, where several live and die in one process.
 */
export function linesOf(storage: Storage): Lines {
  const known = all.get(storage)
  if (known) return known
  const made = {
    downloads: createTurnstile(AT_ONCE),
    memory: createTurnstile(MEMORY_BYTES),
    stores: createTurnstile(AT_ONCE),
  }
  all.set(storage, made)
  return made
}

import { mayHaveKey } from '../http'

/** Where fal is. A base address (a test server, a relay of the operator's own) stands for all of it. */
export type FalHosts = {
  /** Submits, and everything about one request. */
  queue: string
  /** Publishes the keys that callbacks are signed with, and says where files may be put. */
  rest: string
  /** Prices and accounts. */
  platform: string
  /** Whether an address out of fal's own answer may be called with the key. */
  mayHaveKey(address: string): boolean
  /** Whether fal keeps files at an address out of its own answer. No key goes there. */
  isOfItsFiles(address: string): boolean
}

export function falHosts(baseUrl?: string): FalHosts {
  const base = baseUrl?.replace(/\/+$/, '')
  const queue = base ?? 'https://queue.fal.run'
  return {
    queue,
    rest: base ?? 'https://rest.fal.ai',
    platform: base ?? 'https://api.fal.ai',
    // Exactly the queue's origin: other names below fal.run and fal.ai serve programs of fal's customers.
    mayHaveKey: address => mayHaveKey(queue, address),
    isOfItsFiles: address =>
      isOfMedia(address) || (base !== undefined && mayHaveKey(base, address)),
  }
}

/** `v3.fal.media`, `v3b.fal.media`: the number changes. */
function isOfMedia(address: string): boolean {
  const url = URL.parse(address)
  return url?.protocol === 'https:' && /(?:^|\.)fal\.media$/.test(url.hostname)
}

/**
 * What was read or compiled once and is asked for on every call (models, their schemas, endpoints).
 * Emptied whenever rows behind it may have changed: by our own writes and by another process's.
 */
export type Cache = {
  get<T>(name: string, make: () => T): T
  /** For what its name says in full (a version in it): stays when the rest is emptied. */
  keep<T>(name: string, make: () => T): T
  clear(): void
}

/** Names come from our rows, but the bound holds whatever happens. */
const MAX_ENTRIES = 10_000

export function createCache(): Cache {
  const entries = new Map<string, unknown>()
  const kept = new Map<string, unknown>()
  return {
    get: (name, make) => lookUp(entries, name, make),
    keep: (name, make) => lookUp(kept, name, make),
    clear: () => entries.clear(),
  }
}

function lookUp<T>(entries: Map<string, unknown>, name: string, make: () => T): T {
  if (entries.has(name)) return entries.get(name) as T
  const made = make()
  // What is not there is not kept: names come from callers, and garbage would push out what is used.
  if (made === null) return made
  if (entries.size >= MAX_ENTRIES) entries.clear()
  entries.set(name, made)
  return made
}

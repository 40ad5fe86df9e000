import { invariant } from '@/base/invariant'
import type { Provider } from './spec'

export type Registry = {
  get(name: string): Provider | null
  /** In the order they were given. */
  names(): string[]
}

/** Throws when two providers share a name: rows in the database point at providers by it. */
export function createRegistry(providers: readonly Provider[]): Registry {
  const byName = new Map<string, Provider>()
  for (const provider of providers) {
    invariant(!byName.has(provider.name), `two providers are called ${provider.name}`)
    byName.set(provider.name, provider)
  }
  return { get: name => byName.get(name) ?? null, names: () => [...byName.keys()] }
}

import type { ProviderHealth } from '@/db/schema'
import type { Deps } from '@/deps'
import { SANDBOX } from './change'
import { allProviders } from './find'
import { keySourceOf } from './key'

/**
 * How those are that jobs may go to, by name: switched on, with an adapter and a key. The sandbox is part of
 * this process, so it is well whenever anybody can ask.
 */
export function healthOf(deps: Deps): Record<string, ProviderHealth> {
  const isExpected = (row: ReturnType<typeof allProviders>[number]) => {
    const provider = deps.providers.get(row.name)
    if (!provider || row.isEnabled !== 1) return false
    return provider.isKeyless === true || keySourceOf(deps, row) !== 'none'
  }
  const vendors = allProviders(deps)
    .filter(row => row.name !== SANDBOX && isExpected(row))
    .map(row => [row.name, row.health] as const)
  return { [SANDBOX]: 'healthy', ...Object.fromEntries(vendors) }
}

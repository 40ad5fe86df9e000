import type { Deps } from '@/deps'
import { findProvider, type ProviderRow } from './find'

type With = Pick<Deps, 'db' | 'cache' | 'config' | 'secrets' | 'providers'>

/**
 * Our key at a vendor: the one stored here, else the environment's. Stored wins, because whoever stores
 * one does it later and on purpose. Null where there is none.
 */
export function keyOf(deps: With, name: string): string | null {
  const row = findProvider(deps, name)
  return row ? (storedKey(deps, row) ?? environmentKey(deps, row)) : null
}

/** Where the key comes from, for people. */
export function keySourceOf(deps: With, row: ProviderRow): 'stored' | 'environment' | 'none' {
  if (row.apiKeySealed !== null) return 'stored'
  return environmentKey(deps, row) === null ? 'none' : 'environment'
}

/** What a vendor signs its callbacks with, where it has to be copied from its pages. */
export function webhookSecretOf(deps: With, name: string): string | null {
  const row = findProvider(deps, name)
  if (!row?.webhookSecretSealed) return null
  const { id: placed, webhookSecretSealed: sealed } = row
  const place = { table: 'providers', column: 'webhook_secret_sealed', row: placed }
  return deps.cache.get(`provider-webhook-secret:${name}`, () => deps.secrets.open(place, sealed))
}

/** Whether a job may go there at all: its adapter is here, nobody switched it off, and there is a key. */
export function isUsable(deps: With, name: string): boolean {
  const provider = deps.providers.get(name)
  if (!provider || findProvider(deps, name)?.isEnabled !== 1) return false
  return provider.isKeyless === true || keyOf(deps, name) !== null
}

function storedKey(deps: With, { id, name, apiKeySealed }: ProviderRow): string | null {
  if (apiKeySealed === null) return null
  const place = { table: 'providers', column: 'api_key_sealed', row: id }
  return deps.cache.get(`provider-key:${name}`, () => deps.secrets.open(place, apiKeySealed))
}

function environmentKey({ config }: With, { apiKeyEnvVar }: ProviderRow): string | null {
  return apiKeyEnvVar === null ? null : (config.providerKeys[apiKeyEnvVar] ?? null)
}

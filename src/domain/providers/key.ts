import { ProviderKey } from '@/base/config'
import type { SealedPlace } from '@/base/secrets'
import type { Deps } from '@/deps'
import { findProvider, type ProviderRow } from './find'

type With = Pick<Deps, 'db' | 'cache' | 'config' | 'secrets' | 'providers'>

/** `unreadable`: one is stored, and no SECRET_KEY that we have opens it. */
export type KeySource = 'stored' | 'environment' | 'none' | 'unreadable'

/**
 * Our key at a vendor: the one stored here, else the environment's. Stored wins, because whoever stores
 * one does it later and on purpose. Null where there is none, or where the stored one cannot be opened: going
 * on with the other may be paying from another account, unseen.
 */
export function keyOf(deps: With, name: string): string | null {
  const row = findProvider(deps, name)
  if (!row) return null
  return row.apiKeySealed === null ? environmentKey(deps, row) : storedKey(deps, row)
}

/** Where the key comes from, for people. */
export function keySourceOf(deps: With, row: ProviderRow): KeySource {
  if (row.apiKeySealed !== null) return storedKey(deps, row) === null ? 'unreadable' : 'stored'
  return environmentKey(deps, row) === null ? 'none' : 'environment'
}

/** A key is stored and the environment has one too, which is not used. */
export function hasTwoKeys(deps: With, row: ProviderRow): boolean {
  return row.apiKeySealed !== null && environmentKey(deps, row) !== null
}

/**
 * What a vendor signs its callbacks with, where it has to be copied from its pages. Null where there is none
 * and where it cannot be opened: then callbacks prove nothing, and polling goes on.
 */
export function webhookSecretOf(deps: With, name: string): string | null {
  const row = findProvider(deps, name)
  if (!row?.webhookSecretSealed) return null
  const { webhookSecretSealed: sealed } = row
  const place = placeOf('webhook_secret_sealed', row)
  return deps.cache.get(`provider-webhook-secret:${name}`, () => opened(deps, place, sealed))
}

/** Whether a job may go there at all: its adapter is here, nobody switched it off, and there is a key. */
export function isUsable(deps: With, name: string): boolean {
  const provider = deps.providers.get(name)
  if (!provider || findProvider(deps, name)?.isEnabled !== 1) return false
  return provider.isKeyless === true || keyOf(deps, name) !== null
}

/** It travels in a header, so it is visible ASCII without spaces, at most 1,000 characters. */
export function isProviderKey(text: string): boolean {
  return ProviderKey.safeParse(text).success
}

export type SealedColumn = 'api_key_sealed' | 'webhook_secret_sealed'

export function placeOf(column: SealedColumn, { id }: Pick<ProviderRow, 'id'>): SealedPlace {
  return { table: 'providers', column, row: id }
}

function storedKey(deps: With, row: ProviderRow): string | null {
  const { name, apiKeySealed: sealed } = row
  if (sealed === null) return null
  const place = placeOf('api_key_sealed', row)
  return deps.cache.get(`provider-key:${name}`, () => opened(deps, place, sealed))
}

/** One value that cannot be opened is trouble of one vendor, and no reason to fail whoever asks. */
function opened({ secrets }: With, place: SealedPlace, sealed: string): string | null {
  try {
    return secrets.open(place, sealed)
  } catch {
    return null
  }
}

function environmentKey({ config }: With, { apiKeyEnvVar }: ProviderRow): string | null {
  return apiKeyEnvVar === null ? null : (config.providerKeys[apiKeyEnvVar] ?? null)
}

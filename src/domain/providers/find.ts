import type { ProviderId } from '@/base/ids'
import type { ProviderHealth } from '@/db/schema'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Deps } from '@/deps'

export type ProviderRow = {
  id: ProviderId
  name: string
  displayName: string
  isEnabled: 0 | 1
  apiKeyEnvVar: string | null
  apiKeySealed: string | null
  webhookSecretSealed: string | null
  health: ProviderHealth
  healthMessage: string | null
  checkedAt: number | null
  checkFailures: number
  updatedAt: number
}

const COLUMNS = `id, name, display_name AS displayName, is_enabled AS isEnabled, api_key_env_var AS apiKeyEnvVar,
  api_key_sealed AS apiKeySealed, webhook_secret_sealed AS webhookSecretSealed, health,
  health_message AS healthMessage, checked_at AS checkedAt, check_failures AS checkFailures,
  updated_at AS updatedAt`

const byName = query<{ name: string }, ProviderRow>(
  `SELECT ${COLUMNS} FROM providers WHERE name = $name`,
)
const all = query<Record<string, never>, ProviderRow>(
  `SELECT ${COLUMNS} FROM providers ORDER BY name`,
  { mayScan: 'there are about ten vendors' },
)

/** A vendor's row, whether this program has its adapter or not. */
export function findProvider(deps: Pick<Deps, 'db' | 'cache'>, name: string): ProviderRow | null {
  return deps.cache.get(`provider:${name}`, () => byName.get(deps.db, { name }))
}

/** As the transaction sees it. */
export function readProvider(tx: Tx, name: string): ProviderRow | null {
  return byName.get(tx, { name })
}

export function allProviders(deps: Pick<Deps, 'db' | 'cache'>): ProviderRow[] {
  return deps.cache.get('providers', () => all.all(deps.db, {}))
}

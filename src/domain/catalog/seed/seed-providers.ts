import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import { hashOf, mayFollow, type Seeded, SMALL } from './follow'
import type { SeedProvider } from './types'

type ProviderColumns = { display_name: string; api_key_env_var: string | null }

const everyRow = query<Record<string, never>, Seeded<ProviderColumns> & { name: string }>(
  'SELECT id, name, seed_hash, display_name, api_key_env_var FROM providers',
  SMALL,
)
const insert = command<
  ProviderColumns & { id: number; name: string; seedHash: string; now: number }
>(
  `INSERT INTO providers (id, name, display_name, api_key_env_var, is_enabled, seed_hash, created_at,
     updated_at)
   VALUES ($id, $name, $display_name, $api_key_env_var, 1, $seedHash, $now, $now)`,
)
const update = command<ProviderColumns & { id: number; seedHash: string; now: number }>(
  `UPDATE providers SET display_name = $display_name, api_key_env_var = $api_key_env_var,
     seed_hash = $seedHash, updated_at = $now
   WHERE id = $id`,
)

/** The ids of all vendors by name, also of those that are not the seed's. */
export function seedProviders(
  tx: Tx,
  providers: readonly SeedProvider[],
): ReadonlyMap<string, number> {
  const known = new Map(everyRow.all(tx, {}).map(row => [row.name, row]))
  const ids = new Map([...known].map(([name, { id }]) => [name, id]))
  for (const { name, displayName, apiKeyEnvVar } of providers) {
    const columns = { display_name: displayName, api_key_env_var: apiKeyEnvVar }
    const newHash = hashOf(columns)
    const row = known.get(name)
    if (!row) {
      const id = tx.id()
      ids.set(name, id)
      insert.run(tx, { id, name, ...columns, seedHash: newHash, now: tx.now })
      continue
    }
    const { id, seed_hash, name: _, ...present } = row
    if (mayFollow(present, seed_hash, newHash)) {
      update.run(tx, { id, ...columns, seedHash: newHash, now: tx.now })
    }
  }
  return ids
}

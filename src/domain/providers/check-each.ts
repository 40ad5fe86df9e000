import type { ProviderHealth } from '@/db/schema'
import { write } from '@/db/write'
import type { Deps } from '@/deps'
import { CHECK_TIMEOUT_MS, type Check, checkProvider } from './check'
import { type HealthChange, recordCheck } from './record-check'

/** `change` is null where the vendor's row was changed meanwhile. */
export type Checked = Check & { health: ProviderHealth | null; change: HealthChange | null }

/**
 * Checks these vendors side by side and keeps what was found, in one write. They are about ten, so nobody
 * stands in line. Throws what `checkProvider` throws, and never for what one of them answers.
 */
export async function checkEach(
  deps: Deps,
  names: readonly string[],
  signal: AbortSignal,
  timeoutMs = CHECK_TIMEOUT_MS,
): Promise<Checked[]> {
  const checks = await Promise.all(names.map(name => checkProvider(deps, name, signal, timeoutMs)))
  return await write(deps.db, tx => {
    tx.after(() => deps.cache.clear())
    return checks.map(check => {
      const change = recordCheck(tx, check)
      return { ...check, change, health: change?.after ?? null }
    })
  })
}

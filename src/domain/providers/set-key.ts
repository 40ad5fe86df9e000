import { command } from '@/db/statements'
import type { Actor, Deps } from '@/deps'
import { assertSendable, assertTakesKey, changeProvider, orderCheck } from './change'
import { placeOf } from './key'

const store = command<{ id: number; sealed: string | null; now: number }>(
  `UPDATE providers SET api_key_sealed = $sealed, health = 'unknown', health_message = NULL,
     checked_at = NULL, check_failures = 0, updated_at = $now WHERE id = $id`,
)

/**
 * Stores our key at a vendor, sealed, in place of any other. What was known of the vendor's health was known of
 * another key, so it begins as unknown and is checked soon. Throws 400 for what is no key, 404, 409.
 */
export async function setKey(deps: Deps, actor: Actor, name: string, key: string): Promise<void> {
  assertTakesKey(deps, name)
  assertSendable('key', key)
  await changeProvider(deps, actor, name, (tx, row) => {
    const sealed = deps.secrets.seal(placeOf('api_key_sealed', row), key, tx.randomBytes(12))
    store.run(tx, { id: row.id, sealed, now: tx.now })
    orderCheck(tx, name)
    return 'provider.set_key'
  })
}

/** Forgets the stored key. The environment's serves again, where it has one. False: there was none. */
export async function removeKey(deps: Deps, actor: Actor, name: string): Promise<boolean> {
  return await changeProvider(deps, actor, name, (tx, row) => {
    if (row.apiKeySealed === null) return null
    store.run(tx, { id: row.id, sealed: null, now: tx.now })
    orderCheck(tx, name)
    return 'provider.remove_key'
  })
}

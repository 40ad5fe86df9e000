import { command } from '@/db/statements'
import type { Actor, Deps } from '@/deps'
import { assertSendable, assertTakesKey, changeProvider } from './change'
import { placeOf } from './key'

const store = command<{ id: number; sealed: string | null; now: number }>(
  'UPDATE providers SET webhook_secret_sealed = $sealed, updated_at = $now WHERE id = $id',
)

/**
 * Stores, sealed, what a vendor signs its callbacks with; for those that hand it out on a page only. Throws 400
 * for what cannot be one, 404, 409.
 */
export async function setWebhookSecret(
  deps: Deps,
  actor: Actor,
  name: string,
  secret: string,
): Promise<void> {
  assertTakesKey(deps, name)
  assertSendable('secret', secret)
  await changeProvider(deps, actor, name, (tx, row) => {
    const place = placeOf('webhook_secret_sealed', row)
    store.run(tx, {
      id: row.id,
      sealed: deps.secrets.seal(place, secret, tx.randomBytes(12)),
      now: tx.now,
    })
    return 'provider.set_webhook_secret'
  })
}

/** From then on its callbacks prove nothing and jobs are polled. False: there was none. */
export async function removeWebhookSecret(
  deps: Deps,
  actor: Actor,
  name: string,
): Promise<boolean> {
  return await changeProvider(deps, actor, name, (tx, row) => {
    if (row.webhookSecretSealed === null) return null
    store.run(tx, { id: row.id, sealed: null, now: tx.now })
    return 'provider.remove_webhook_secret'
  })
}

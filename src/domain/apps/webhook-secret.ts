import type { RealmId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import type { Secrets } from '@/base/secrets'
import { query } from '@/db/statements'
import type { Deps } from '@/deps'

const select = query<{ realmId: number }, { sealed: string }>(
  'SELECT webhook_secret_sealed AS sealed FROM realms WHERE id = $realmId',
)

const place = (realmId: RealmId) => ({
  table: 'realms',
  column: 'webhook_secret_sealed',
  row: realmId,
})

/** Signing needs the clear text, so it is sealed and not hashed. */
export function sealWebhookSecret(
  secrets: Secrets,
  realmId: RealmId,
  secret: string,
  nonce: Uint8Array,
): string {
  return secrets.seal(place(realmId), secret, nonce)
}

export function webhookSecretOf(deps: Deps, realmId: RealmId): string {
  return deps.cache.get(`webhook-secret:${realmId}`, () => {
    const row = select.get(deps.db, { realmId })
    invariant(row, 'a webhook secret is asked for a realm that exists')
    return deps.secrets.open(place(realmId), row.sealed)
  })
}

import { AppError } from '@/base/errors'
import { formatId, type KeyId, type RealmId } from '@/base/ids'
import { query, returning } from '@/db/statements'
import { write } from '@/db/write'
import type { Actor, Deps } from '@/deps'
import { record } from '@/domain/audit'
import { findRealm } from './find'
import { hashKey, isWellFormedKey } from './key-text'

const byId = query<{ id: number }, { id: KeyId; display: string }>(
  'SELECT id, display FROM api_keys WHERE id = $id',
)
const byHash = query<{ hash: Uint8Array }, { id: KeyId; display: string }>(
  'SELECT id, display FROM api_keys WHERE hash = $hash',
)
const revoke = returning<{ id: number; now: number }, { realmId: RealmId }>(
  'UPDATE api_keys SET revoked_at = $now WHERE id = $id AND revoked_at IS NULL RETURNING realm_id AS realmId',
)

/**
 * Stops a key at once, named by its id or by itself. Revoking twice is no error. Throws 404 when there
 * is no such key.
 */
export async function revokeKey(
  deps: Deps,
  actor: Actor,
  key: { id: KeyId } | { text: string },
): Promise<{ id: KeyId; display: string }> {
  return await write(deps.db, tx => {
    const row = 'id' in key ? byId.get(tx, { id: key.id }) : textRow(key.text)
    if (!row) throw new AppError('not_found')
    const revoked = revoke.get(tx, { id: row.id, now: tx.now })
    if (revoked) {
      tx.after(() => deps.cache.clear())
      const realm = findRealm(tx, revoked.realmId)
      record(tx, realm ? { ...actor, realm } : actor, 'key.revoke', formatId('key', row.id))
    }
    return row

    function textRow(text: string) {
      return isWellFormedKey(text) ? byHash.get(tx, { hash: hashKey(text) }) : null
    }
  })
}

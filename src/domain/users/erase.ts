import { AppError } from '@/base/errors'
import { formatId, type RealmId, type UserId } from '@/base/ids'
import { command } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { record } from '@/domain/audit'
import { enqueue } from '@/queue/enqueue'
import { erasedMark } from './ensure'
import { findByExternalId } from './find'

const anonymise = command<{ id: number; now: number }>(
  `UPDATE users SET external_id = NULL, metadata = '{}', is_active = 0, erased_at = $now, updated_at = $now
   WHERE id = $id`,
)
const removeIdentities = command<{ id: number }>('DELETE FROM user_identities WHERE user_id = $id')
const remember = command<{ realmId: number; hash: Uint8Array; now: number }>(
  'INSERT INTO erased_users (realm_id, hash, erased_at) VALUES ($realmId, $hash, $now) ON CONFLICT DO NOTHING',
)

/**
 * The person is gone when this returns: no id leads here and nothing new can start. What they left in
 * other rooms (running jobs, prompts, files) is erased by the task that the same write orders. The ledger
 * keeps its rows without a name. Throws 404 when the app has no such user.
 */
export async function erase(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  externalId: string,
): Promise<UserId> {
  return await write(deps.db, tx => {
    const user = findByExternalId(tx, realm.id, externalId)
    if (!user) throw new AppError('not_found')
    remember.run(tx, {
      realmId: realm.id,
      hash: erasedMark(deps.secrets, realm, externalId),
      now: tx.now,
    })
    forgetPerson(tx, user.id)
    record(tx, actor, 'user.erase', formatId('user', user.id))
    enqueue(tx, {
      kind: 'user.erase',
      pool: 'chores',
      payload: { realm_id: realm.id satisfies RealmId, user_id: user.id },
    })
    return user.id
  })
}

export function forgetPerson(tx: Tx, id: UserId): void {
  removeIdentities.run(tx, { id })
  anonymise.run(tx, { id, now: tx.now })
}

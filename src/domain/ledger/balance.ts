import type { RealmId, UserId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'

/** `available` can be spent; `reserved` is held by jobs that have not ended. */
export type Balance = { available: number; reserved: number }

const select = query<{ realmId: number; userId: number }, Balance>(
  'SELECT balance AS available, reserved FROM users WHERE realm_id = $realmId AND id = $userId',
)

export function balanceOf(from: Tx | Db, realmId: RealmId, userId: UserId): Balance {
  const balance = select.get(from, { realmId, userId })
  invariant(balance, 'a balance is asked for a user of this realm')
  return balance
}

import type { RealmId, UserId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import type { Db } from '@/db/open'
import { query, returning } from '@/db/statements'
import type { Tx } from '@/db/write'

/**
 * What somebody's tokens add up to. Today each user has one account, in the columns of the user's own row;
 * only this file knows that, so that a wallet which several share can come without a change of any verb.
 *
 * `balance` can be spent, and `bucketed` of it lies in buckets; the rest is plain: bought, and never expires.
 * `reserved` is held by what has not ended. `owed` is taken from the next grants.
 */
export type Account = { balance: number; reserved: number; bucketed: number; owed: number }
export type Owner = { realmId: RealmId; userId: UserId }

const select = query<{ realmId: number; userId: number }, Account>(
  'SELECT balance, reserved, bucketed, owed FROM users WHERE realm_id = $realmId AND id = $userId',
)
const take = returning<
  { realmId: number; userId: number; amount: number; reserved: number },
  { balance: number }
>(
  `UPDATE users SET balance = balance - $amount, reserved = reserved + $reserved
   WHERE realm_id = $realmId AND id = $userId AND bucketed = 0 AND balance >= $amount
   RETURNING balance`,
)
const takeSome = returning<
  { realmId: number; userId: number; amount: number; reserved: number; bucketed: number },
  { balance: number }
>(
  `UPDATE users SET balance = balance - $amount, reserved = reserved + $reserved,
     bucketed = bucketed - $bucketed
   WHERE realm_id = $realmId AND id = $userId AND balance >= $amount
   RETURNING balance`,
)
const add = returning<
  { realmId: number; userId: number; amount: number; bucketed: number; max: number },
  { balance: number; owed: number }
>(
  `UPDATE users SET balance = balance + $amount, bucketed = bucketed + $bucketed
   WHERE realm_id = $realmId AND id = $userId AND balance + reserved + $amount <= $max
   RETURNING balance, owed`,
)
const change = returning<
  {
    realmId: number
    userId: number
    balance: number
    reserved: number
    bucketed: number
    owed: number
  },
  { balance: number }
>(
  `UPDATE users SET balance = balance + $balance, reserved = reserved + $reserved,
     bucketed = bucketed + $bucketed, owed = owed + $owed
   WHERE realm_id = $realmId AND id = $userId
   RETURNING balance`,
)

export function accountOf(from: Tx | Db, owner: Owner): Account {
  const account = select.get(from, { realmId: owner.realmId, userId: owner.userId })
  invariant(account, 'tokens are asked for of a user of this realm')
  return account
}

/** Takes from an account that is plain altogether: one statement. Null when it is not, or too small. */
export function takePlain(
  tx: Tx,
  owner: Owner,
  amount: number,
  reserved: number,
): { balance: number } | null {
  return take.get(tx, { realmId: owner.realmId, userId: owner.userId, amount, reserved })
}

/** Takes from any account, `bucketed` of it from buckets. Null when it is too small. */
export function takeMixed(
  tx: Tx,
  owner: Owner,
  amount: number,
  reserved: number,
  bucketed: number,
): { balance: number } | null {
  const { realmId, userId } = owner
  return takeSome.get(tx, { realmId, userId, amount, reserved, bucketed })
}

/** Null when there is no such user, or when it would be more than `max`, holds included. */
export function addTo(
  tx: Tx,
  owner: Owner,
  amount: number,
  bucketed: number,
  max: number,
): { balance: number; owed: number } | null {
  return add.get(tx, { realmId: owner.realmId, userId: owner.userId, amount, bucketed, max })
}

/** Signed changes; answers the balance after. The table's checks refuse whatever would fall below zero. */
export function move(tx: Tx, owner: Owner, by: Partial<Account>): number {
  const after = change.get(tx, {
    realmId: owner.realmId,
    userId: owner.userId,
    balance: by.balance ?? 0,
    reserved: by.reserved ?? 0,
    bucketed: by.bucketed ?? 0,
    owed: by.owed ?? 0,
  })
  invariant(after, 'tokens are moved of a user of this realm')
  return after.balance
}

import { AppError } from '@/base/errors'
import type { RealmId, UserId } from '@/base/ids'
import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'

/** One key means one thing for one user of one realm and one operation (method and path). */
export type Scope = {
  realmId: RealmId
  userId: UserId | null
  operation: string
  key: string
  hash: string
}
export type OnceResult<T> = { status: number; answer: T; isReplay: boolean }

type Row = { requestHash: string; status: number; answer: string }

const find = query<{ realmId: number; userId: number; operation: string; key: string }, Row>(
  `SELECT request_hash AS requestHash, status, answer FROM idempotency_keys
   WHERE realm_id = $realmId AND user_id = $userId AND operation = $operation AND key = $key`,
)
const insert = command<{
  realmId: number
  userId: number
  operation: string
  key: string
  hash: string
  status: number
  answer: string
  now: number
}>(
  `INSERT INTO idempotency_keys (realm_id, user_id, operation, key, request_hash, status, answer, created_at)
   VALUES ($realmId, $userId, $operation, $key, $hash, $status, $answer, $now)`,
)
const removeOld = command<{ before: number; limit: number }>(
  `DELETE FROM idempotency_keys WHERE (realm_id, user_id, operation, key) IN (
     SELECT realm_id, user_id, operation, key FROM idempotency_keys WHERE created_at < $before
     ORDER BY created_at LIMIT $limit
   )`,
)

/**
 * Runs `change` once for this scope and keeps its answer in the same write. The same key and body later
 * gets the kept answer; another body throws 422. What throws keeps nothing, so the key is free again.
 */
export function once<T>(
  tx: Tx,
  scope: Scope | null,
  change: () => { status: number; answer: T },
): OnceResult<T> {
  if (!scope) return { ...change(), isReplay: false }
  const at = {
    realmId: scope.realmId,
    userId: scope.userId ?? 0,
    operation: scope.operation,
    key: scope.key,
  }
  const kept = find.get(tx, at)
  if (kept) {
    if (kept.requestHash !== scope.hash) throw new AppError('idempotency_mismatch')
    return { status: kept.status, answer: JSON.parse(kept.answer) as T, isReplay: true }
  }
  const made = change()
  insert.run(tx, {
    ...at,
    hash: scope.hash,
    status: made.status,
    answer: JSON.stringify(made.answer),
    now: tx.now,
  })
  return { ...made, isReplay: false }
}

/** Removes at most `limit` answers kept since before `before`. Answers how many. */
export function forgetOld(tx: Tx, before: number, limit: number): number {
  return removeOld.run(tx, { before, limit })
}

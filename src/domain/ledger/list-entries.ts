import type { BucketId, EntryId, HoldId, JobId, RealmId, UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'

export type Entry = {
  id: EntryId
  userId: UserId
  amount: number
  balanceAfter: number
  type: string
  description: string
  jobId: JobId | null
  holdId: HoldId | null
  bucketId: BucketId | null
  requestHash: string | null
  createdAt: number
}

const COLUMNS = `id, user_id AS userId, amount, balance_after AS balanceAfter, type, description,
  job_id AS jobId, hold_id AS holdId, bucket_id AS bucketId, request_hash AS requestHash,
  created_at AS createdAt`

const newest = query<{ realmId: number; userId: number; before: number; limit: number }, Entry>(
  `SELECT ${COLUMNS} FROM token_entries
   WHERE user_id = $userId AND realm_id = $realmId AND id < $before ORDER BY id DESC LIMIT $limit`,
)
const byKey = query<{ key: string }, Entry>(
  `SELECT ${COLUMNS} FROM token_entries WHERE idempotency_key = $key`,
)
const byKeyRange = query<{ from: string; to: string }, Entry>(
  `SELECT ${COLUMNS} FROM token_entries
   WHERE idempotency_key IS NOT NULL AND idempotency_key >= $from AND idempotency_key < $to
   ORDER BY idempotency_key`,
)

const byId = query<{ realmId: number; userId: number; id: number }, Entry>(
  `SELECT ${COLUMNS} FROM token_entries WHERE user_id = $userId AND id = $id AND realm_id = $realmId`,
)
const bySource = query<{ source: string; sourceId: string }, Entry>(
  `SELECT ${COLUMNS} FROM token_entries WHERE source = $source AND source_id = $sourceId`,
)

/** Newest first, entries older than `before`. */
export function listEntries(
  db: Db,
  realmId: RealmId,
  userId: UserId,
  page: { before: number; limit: number },
): Entry[] {
  return newest.all(db, { realmId, userId, ...page })
}

export function entryByKey(from: Tx | Db, key: string): Entry | null {
  return byKey.get(from, { key })
}

export function entryById(
  from: Tx | Db,
  realmId: RealmId,
  userId: UserId,
  id: EntryId,
): Entry | null {
  return byId.get(from, { realmId, userId, id })
}

export function entryBySource(from: Tx | Db, source: { name: string; id: string }): Entry | null {
  return bySource.get(from, { source: source.name, sourceId: source.id })
}

/** All entries whose key begins with `prefix`, in key order: the items of one batch. */
export function entriesByKeyPrefix(from: Tx | Db, prefix: string): Entry[] {
  return byKeyRange.all(from, { from: prefix, to: `${prefix}\u{10FFFF}` })
}

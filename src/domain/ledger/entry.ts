import type { BucketId, EntryId, HoldId, JobId, RealmId, UserId } from '@/base/ids'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'

/** An open set: more will come, and clients are told so. Checked here, where entries are made. */
export const ENTRY_TYPES = [
  'GRANT',
  'BONUS',
  'GENERATION_DEBIT',
  'GENERATION_REFUND',
  'ADMIN_ADJUSTMENT',
  'EXPIRY',
  'FEATURE_DEBIT',
  'FEATURE_REFUND',
  'CLAWBACK',
  'DEBT',
  'DEBT_PAYMENT',
] as const
export type EntryType = (typeof ENTRY_TYPES)[number]

export type NewEntry = {
  realmId: RealmId
  userId: UserId
  type: EntryType
  /** Signed: what the balance moved by. */
  amount: number
  balanceAfter: number
  description: string
  holdId?: HoldId
  jobId?: JobId
  /** The one bucket that it filled, or took from. What a hold took from which stands in its parts. */
  bucketId?: BucketId | null
  source?: { name: string; id: string }
  idempotency?: { key: string; hash: string }
}

const insert = command<{
  id: number
  realmId: number
  userId: number
  type: string
  amount: number
  balanceAfter: number
  description: string
  holdId: number | null
  jobId: number | null
  bucketId: number | null
  source: string | null
  sourceId: string | null
  key: string | null
  hash: string | null
  now: number
}>(
  `INSERT INTO token_entries (user_id, id, realm_id, amount, balance_after, type, hold_id, job_id, bucket_id,
     source, source_id, description, idempotency_key, request_hash, created_at)
   VALUES ($userId, $id, $realmId, $amount, $balanceAfter, $type, $holdId, $jobId, $bucketId, $source,
     $sourceId, $description, $key, $hash, $now)`,
)

/** The only way into the ledger. Called right after the balance moved, in the same write. */
export function append(tx: Tx, entry: NewEntry): EntryId {
  const id = tx.id<EntryId>()
  insert.run(tx, {
    id,
    realmId: entry.realmId,
    userId: entry.userId,
    type: entry.type,
    amount: entry.amount,
    balanceAfter: entry.balanceAfter,
    description: entry.description,
    holdId: entry.holdId ?? null,
    jobId: entry.jobId ?? null,
    bucketId: entry.bucketId ?? null,
    source: entry.source?.name ?? null,
    sourceId: entry.source?.id ?? null,
    key: entry.idempotency?.key ?? null,
    hash: entry.idempotency?.hash ?? null,
    now: tx.now,
  })
  return id
}

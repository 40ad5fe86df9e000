import type { BucketId, HoldId } from '@/base/ids'
import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Owner } from './account'

/** What was taken from one bucket. What a hold took beyond its parts was plain. */
export type Part = { bucketId: BucketId; amount: number }

type HoldRow = {
  id: HoldId
  owner: Owner
  /** What it is for. A job's own id, or an id of the ledger's where no job stands behind it. */
  jobId: number
  purpose: string
  amount: number
  parts: Part[]
}

const insertOpen = command<{
  id: number
  realmId: number
  userId: number
  jobId: number
  purpose: string
  amount: number
  now: number
}>(
  `INSERT INTO holds (id, realm_id, user_id, job_id, purpose, amount, state, created_at)
   VALUES ($id, $realmId, $userId, $jobId, $purpose, $amount, 'open', $now)`,
)
const insertSettled = command<{
  id: number
  realmId: number
  userId: number
  jobId: number
  purpose: string
  amount: number
  settled: number
  now: number
}>(
  `INSERT INTO holds (id, realm_id, user_id, job_id, purpose, amount, state, settled_amount, created_at,
     resolved_at)
   VALUES ($id, $realmId, $userId, $jobId, $purpose, $amount, 'settled', $settled, $now, $now)`,
)
const insertPart = command<{ holdId: number; bucketId: number; amount: number }>(
  'INSERT INTO hold_parts (hold_id, bucket_id, amount) VALUES ($holdId, $bucketId, $amount)',
)
const selectParts = query<{ holdId: number }, Part>(
  'SELECT bucket_id AS bucketId, amount FROM hold_parts WHERE hold_id = $holdId',
)
const markReturned = command<{ holdId: number; bucketId: number; amount: number }>(
  `UPDATE hold_parts SET returned = $amount
   WHERE hold_id = $holdId AND bucket_id = $bucketId AND returned = 0`,
)

export function insertHold(tx: Tx, row: HoldRow): void {
  insertOpen.run(tx, {
    id: row.id,
    realmId: row.owner.realmId,
    userId: row.owner.userId,
    jobId: row.jobId,
    purpose: row.purpose,
    amount: row.amount,
    now: tx.now,
  })
  insertParts(tx, row)
}

/** Taken for good at once: a charge, an adjustment, a reversal. `settled` is what was really taken. */
export function insertSettledHold(tx: Tx, row: HoldRow & { settled: number }): void {
  insertSettled.run(tx, {
    id: row.id,
    realmId: row.owner.realmId,
    userId: row.owner.userId,
    jobId: row.jobId,
    purpose: row.purpose,
    amount: row.amount,
    settled: row.settled,
    now: tx.now,
  })
  insertParts(tx, row)
}

export function partsOf(tx: Tx, holdId: HoldId): Part[] {
  return selectParts.all(tx, { holdId })
}

/** How many parts it changed: of one that has come back already, none. */
export function markPartReturned(
  tx: Tx,
  holdId: HoldId,
  bucketId: BucketId,
  amount: number,
): number {
  return markReturned.run(tx, { holdId, bucketId, amount })
}

function insertParts(tx: Tx, row: HoldRow): void {
  for (const { bucketId, amount } of row.parts) {
    insertPart.run(tx, { holdId: row.id, bucketId, amount })
  }
}

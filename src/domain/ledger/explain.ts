import { isoSeconds } from '@/base/clock'
import { type EntryId, formatId, type HoldId, type RealmId, type UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { type HoldState, NEVER } from '@/db/schema'
import { query } from '@/db/statements'
import { balanceOf } from './balance'

/** One thing that happened to somebody's tokens, in words; without an entry: how things stand now. */
export type StoryLine = {
  entryId: EntryId | null
  at: number
  amount: number
  balanceAfter: number
  type: string | null
  text: string
}

type Row = {
  id: EntryId
  amount: number
  balanceAfter: number
  type: string
  description: string
  source: string | null
  sourceId: string | null
  holdId: HoldId | null
  jobId: number | null
  createdAt: number
  origin: string | null
  expiresAt: number | null
}
type PartRow = { origin: string; amount: number; returned: number; expiresAt: number }
type HoldRow = { amount: number; settled: number | null; state: HoldState }

const everything = query<{ realmId: number; userId: number }, Row>(
  `SELECT e.id, e.amount, e.balance_after AS balanceAfter, e.type, e.description, e.source,
     e.source_id AS sourceId, e.hold_id AS holdId, e.job_id AS jobId, e.created_at AS createdAt,
     (SELECT origin FROM token_buckets b WHERE b.id = e.bucket_id) AS origin,
     (SELECT expires_at FROM token_buckets b WHERE b.id = e.bucket_id) AS expiresAt
   FROM token_entries e WHERE e.user_id = $userId AND e.realm_id = $realmId ORDER BY e.id`,
)
const parts = query<{ holdId: number }, PartRow>(
  `SELECT b.origin, p.amount, p.returned, b.expires_at AS expiresAt
   FROM hold_parts p CROSS JOIN token_buckets b ON b.id = p.bucket_id WHERE p.hold_id = $holdId`,
)
const holdOf = query<{ id: number }, HoldRow>(
  'SELECT amount, settled_amount AS settled, state FROM holds WHERE id = $id',
)

/** The whole story of a user's tokens, the newest last, and how they stand. For the shell and for people. */
export function explain(db: Db, realmId: RealmId, userId: UserId): StoryLine[] {
  const lines = everything.all(db, { realmId, userId }).map(
    (row): StoryLine => ({
      entryId: row.id,
      at: row.createdAt,
      amount: row.amount,
      balanceAfter: row.balanceAfter,
      type: row.type,
      text: told(db, row),
    }),
  )
  return [...lines, nowLine(db, realmId, userId)]
}

function told(db: Db, row: Row): string {
  const count = Math.abs(row.amount)
  const why = row.description === '' ? '' : `: ${row.description}`
  switch (row.type) {
    case 'GRANT':
    case 'BONUS':
      return `given ${kindOf(row.origin)}${until(row.expiresAt)}${why}`
    case 'ADMIN_ADJUSTMENT':
      return row.amount > 0
        ? `raised by the operator${until(row.expiresAt)}${why}`
        : `lowered by the operator, from ${taken(db, row)}${why}`
    case 'GENERATION_DEBIT':
      return `held for ${jobOf(row)} from ${taken(db, row)}${why}${fate(db, row)}`
    case 'GENERATION_REFUND':
      return `back from ${jobOf(row)} to ${returned(db, row)}${why}`
    case 'FEATURE_DEBIT':
      return `charged, from ${taken(db, row)}${why}`
    case 'FEATURE_REFUND':
      return `the charge came back to ${returned(db, row)}${why}`
    case 'EXPIRY':
      return `${kindOf(row.origin)} of ${expiryOf(row)} expired`
    case 'DEBT':
      return `${count} of what is reversed next had been spent, and ${areOr(count)} owed`
    case 'CLAWBACK':
      return `the grant ${entryName(row.sourceId)} was reversed${why}`
    case 'DEBT_PAYMENT':
      return `paid of the debt, from the grant ${entryName(row.sourceId)}`
    default:
      return `${row.type}${why}`
  }
}

function nowLine(db: Db, realmId: RealmId, userId: UserId): StoryLine {
  const balance = balanceOf(db, realmId, userId)
  const { available, purchased, subscription, bonus, reserved, owed, nextExpiry } = balance
  const first = nextExpiry
    ? `; ${nextExpiry.amount} expire at ${isoSeconds(nextExpiry.at)} first`
    : ''
  return {
    entryId: null,
    at: db.clock.now(),
    amount: 0,
    balanceAfter: available,
    type: null,
    text: `now: ${available} to spend (${purchased} bought, ${subscription} of a subscription, ${bonus} bonus), ${reserved} held, ${owed} owed${first}`,
  }
}

/** What a hold took, bucket by bucket. */
function taken(db: Db, row: Row): string {
  return sourcesOf(db, row, Math.abs(row.amount), part => part.amount)
}

function returned(db: Db, row: Row): string {
  return sourcesOf(db, row, row.amount, part => part.returned)
}

function sourcesOf(db: Db, row: Row, total: number, amountOf: (part: PartRow) => number): string {
  const all = row.holdId === null ? [] : parts.all(db, { holdId: row.holdId })
  const fromBuckets = all.filter(part => amountOf(part) > 0)
  const plain = total - fromBuckets.reduce((sum, part) => sum + amountOf(part), 0)
  const words = fromBuckets
    .sort((a, b) => a.expiresAt - b.expiresAt)
    .map(part => `${amountOf(part)} ${kindOf(part.origin)}${until(part.expiresAt)}`)
  if (plain > 0) words.push(`${plain} bought`)
  return words.join(' and ')
}

/** How the hold ended, where no later entry says so. */
function fate(db: Db, row: Row): string {
  const hold = row.holdId === null ? null : holdOf.get(db, { id: row.holdId })
  if (hold?.state === 'open') return ' (still held)'
  return hold?.settled === hold?.amount ? ' (spent)' : ''
}

/** Of the bucket's expiries this one; the bucket may have been opened again since. */
function expiryOf(row: Row): string {
  const at = Number(row.sourceId?.split(':')[1])
  return Number.isSafeInteger(at) ? isoSeconds(at) : 'a bucket'
}

function kindOf(origin: string | null): string {
  return origin === null ? 'bought' : origin
}

function until(expiresAt: number | null): string {
  return expiresAt === null || expiresAt === NEVER ? '' : ` until ${isoSeconds(expiresAt)}`
}

function jobOf(row: Row): string {
  return row.jobId === null ? 'a job' : formatId('job', row.jobId)
}

function entryName(id: string | null): string {
  return id === null ? '' : formatId('entry', Number(id))
}

function areOr(count: number): string {
  return count === 1 ? 'is' : 'are'
}

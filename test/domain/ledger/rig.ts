import { join } from 'node:path'
import { openTestDb, temporaryFolder, testDb } from '@test/support/test-db'
import type { Clock } from '@/base/clock'
import type { AppId, EntryId, JobId, RealmId, UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { type Tx, write } from '@/db/write'
import { grant } from '@/domain/ledger'

/** A database with one realm, and nothing of the other nouns but the bare rows that money refers to. */
export type LedgerRig = Disposable & { db: Db; realmId: RealmId }

export async function ledgerRig(options: { clock?: Clock } = {}): Promise<LedgerRig> {
  const db = testDb(options)
  const realmId = await write(db, tx => aRealm(tx, 'one'))
  return {
    db,
    realmId,
    [Symbol.dispose]: () => db.close(),
  }
}

export function aRealm(tx: Tx, slug: string): RealmId {
  const appId = tx.id<AppId>()
  const realmId = tx.id<RealmId>()
  tx.db.sqlite.run(
    "INSERT INTO apps (id, name, slug, key_prefix, welcome_grant, rate_limit_per_user, rate_limit_per_app, is_enabled, created_at, updated_at) VALUES (?1, ?2, ?2, 'pm', 0, 30, 1000, 1, 0, 0)",
    [appId, slug],
  )
  tx.db.sqlite.run(
    "INSERT INTO realms (id, app_id, mode, webhook_secret_sealed) VALUES (?, ?, 'live', 'sealed')",
    [realmId, appId],
  )
  return realmId
}

export function aUser(tx: Tx, realmId: RealmId, balance = 0): UserId {
  const id = tx.id<UserId>()
  tx.db.sqlite.run(
    'INSERT INTO users (id, realm_id, created_at, updated_at) VALUES (?, ?, ?3, ?3)',
    [id, realmId, tx.now],
  )
  if (balance > 0) give(tx, realmId, id, balance)
  return id
}

export function give(tx: Tx, realmId: RealmId, userId: UserId, amount: number): EntryId {
  return grant(tx, { realmId, userId, amount, type: 'GRANT', description: 'for the test' }).entryId
}

/** The record of a job that holds `tokens`, as far as money looks at it. */
export function aJob(
  tx: Tx,
  realmId: RealmId,
  userId: UserId,
  tokens: number,
  id: JobId = tx.id<JobId>(),
): JobId {
  tx.db.sqlite.run(
    `INSERT INTO jobs (id, realm_id, user_id, kind, model_id, model_name, status, priority, num_outputs,
       quote, tokens_charged, metadata, created_at)
     VALUES (?, ?, ?, 'image', 1, 'a-model', 'queued', 10, 1, '{}', ?, '{}', ?)`,
    [id, realmId, userId, tokens, tx.now],
  )
  return id
}

export function endJob(tx: Tx, id: JobId, refunded: number): void {
  tx.db.sqlite.run(
    "UPDATE jobs SET status = 'succeeded', tokens_refunded = ?, completed_at = ? WHERE id = ?",
    [refunded, tx.now, id],
  )
}

/** All money of the database, byte for byte, to prove that nothing changed. */
export function snapshot(db: Db): string {
  const tables = ['users', 'holds', 'hold_parts', 'token_buckets', 'token_entries', 'jobs']
  return JSON.stringify(
    tables.map(table => db.sqlite.query(`SELECT * FROM ${table} ORDER BY 1, 2`).all()),
  )
}

/** A copy without triggers and without the unique rules of the ledger, so that anything can be planted. */
export function unguardedCopy(db: Db): Db {
  const path = join(temporaryFolder(), 'copy.db')
  db.sqlite.run('VACUUM INTO ?', [path])
  const copy = openTestDb(path)
  const guards = copy.sqlite
    .query(
      "SELECT type, name FROM sqlite_master WHERE type = 'trigger' OR name LIKE 'token_entries_by_%'",
    )
    .all() as { type: string; name: string }[]
  for (const guard of guards) copy.sqlite.run(`DROP ${guard.type} ${guard.name}`)
  return copy
}

import type { UserId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import type { Secrets } from '@/base/secrets'
import type { Db } from '@/db/open'
import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Realm } from '@/deps'
import { grant } from '@/domain/ledger'
import { findByExternalId, findById, type User } from './find'

export type NewUser = {
  realm: Realm
  externalId: string
  /** False for a user whom nobody vouches for: made-up ids would farm welcome grants. */
  mayHaveWelcomeGrant: boolean
  metadata?: string
}

const insert = command<{
  id: number
  realmId: number
  externalId: string
  metadata: string
  now: number
}>(
  `INSERT INTO users (id, realm_id, external_id, metadata, created_at, updated_at)
   VALUES ($id, $realmId, $externalId, $metadata, $now, $now)`,
)
const insertIdentity = command<{ realmId: number; subject: string; userId: number; now: number }>(
  `INSERT INTO user_identities (realm_id, kind, subject, user_id, created_at)
   VALUES ($realmId, 'external', $subject, $userId, $now)`,
)
const wasErased = query<{ realmId: number; hash: Uint8Array }, { erased_at: number }>(
  'SELECT erased_at FROM erased_users WHERE realm_id = $realmId AND hash = $hash',
)

/** The user of this id, made with the app's welcome grant when unknown, all in the caller's write. */
export function ensure(tx: Tx, secrets: Secrets, input: NewUser): { user: User; isNew: boolean } {
  const { realm, externalId } = input
  const known = findByExternalId(tx, realm.id, externalId)
  if (known) return { user: known, isNew: false }

  const id = tx.id<UserId>()
  insert.run(tx, {
    id,
    realmId: realm.id,
    externalId,
    metadata: input.metadata ?? '{}',
    now: tx.now,
  })
  insertIdentity.run(tx, { realmId: realm.id, subject: externalId, userId: id, now: tx.now })
  const welcome = welcomeOf(tx, secrets, input)
  if (welcome > 0) {
    grant(tx, {
      realmId: realm.id,
      userId: id,
      amount: welcome,
      type: 'GRANT',
      origin: 'welcome',
      description: 'welcome grant',
      source: { name: 'welcome', id: String(id) },
    })
  }
  const user = findById(tx, realm.id, id)
  invariant(user, 'the user was just made')
  return { user, isNew: true }
}

/** The salted mark of a person who was erased. It says only whether an id was here before. */
export function erasedMark(secrets: Secrets, realm: Realm, externalId: string): Uint8Array {
  return new Uint8Array(secrets.hmac('erased-users', `${realm.id}:${externalId}`))
}

/** What somebody whom nobody has seen yet would be given when made. */
export function welcomeOf(from: Tx | Db, secrets: Secrets, input: NewUser): number {
  const { realm, externalId, mayHaveWelcomeGrant } = input
  if (!mayHaveWelcomeGrant || realm.welcomeGrant === 0) return 0
  return hadOneBefore(from, secrets, realm, externalId) ? 0 : realm.welcomeGrant
}

/** Whether somebody of this id was here and had themselves erased. */
export function hadOneBefore(
  from: Tx | Db,
  secrets: Secrets,
  realm: Realm,
  externalId: string,
): boolean {
  const marks = secrets.hmacs('erased-users', `${realm.id}:${externalId}`)
  return marks.some(
    mark => wasErased.get(from, { realmId: realm.id, hash: new Uint8Array(mark) }) !== null,
  )
}

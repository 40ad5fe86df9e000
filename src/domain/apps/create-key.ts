import { AppError } from '@/base/errors'
import { formatId, type KeyId, type RealmId } from '@/base/ids'
import { command } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Actor, Deps, Mode } from '@/deps'
import { record } from '@/domain/audit'
import { findApp, realmsOf } from './find'
import { hashKey, KEY_RANDOM_BYTES, type KeyKind, makeKeyText } from './key-text'

/** `text` is shown once and never stored. */
export type CreatedKey = { id: KeyId; text: string; display: string }

const insert = command<{
  id: number
  realmId: number
  kind: string
  hash: Uint8Array
  display: string
  now: number
}>(
  `INSERT INTO api_keys (id, realm_id, kind, hash, display, created_at)
   VALUES ($id, $realmId, $kind, $hash, $display, $now)`,
)

/** Throws 404 when there is no app of this slug. */
export async function createKey(
  deps: Deps,
  actor: Actor,
  input: { slug: string; mode: Mode; kind: KeyKind },
): Promise<CreatedKey> {
  return await write(deps.db, tx => {
    const app = findApp(tx, input.slug)
    if (!app) throw new AppError('not_found')
    const realm = realmsOf(tx, app.id)[input.mode]
    const key = insertKey(tx, { realmId: realm.id, prefix: app.keyPrefix, ...input })
    record(tx, { ...actor, realm }, 'key.create', formatId('key', key.id), { kind: input.kind })
    return key
  })
}

export function insertKey(
  tx: Tx,
  key: { realmId: RealmId; prefix: string; mode: Mode; kind: KeyKind },
): CreatedKey {
  const { text, display } = makeKeyText(
    key.prefix,
    key.mode,
    key.kind,
    tx.randomBytes(KEY_RANDOM_BYTES),
  )
  const id = tx.id<KeyId>()
  insert.run(tx, {
    id,
    realmId: key.realmId,
    kind: key.kind,
    hash: hashKey(text),
    display,
    now: tx.now,
  })
  return { id, text, display }
}

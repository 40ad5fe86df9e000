import type { AppId, KeyId, RealmId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { Mode } from '@/deps'
import { hashKey, isWellFormedKey, type KeyKind } from './key-text'

/** A key that works, with what every call needs to know of its app. */
export type FoundKey = {
  keyId: KeyId
  kind: KeyKind
  realmId: RealmId
  mode: Mode
  appId: AppId
  appSlug: string
  welcomeGrant: number
  rateLimitPerUser: number
  rateLimitPerApp: number
  isEnabled: 0 | 1
  expiresAt: number | null
  revokedAt: number | null
}

const select = query<{ hash: Uint8Array }, FoundKey>(
  `SELECT k.id AS keyId, k.kind, k.realm_id AS realmId, r.mode, a.id AS appId, a.slug AS appSlug,
     a.welcome_grant AS welcomeGrant, a.rate_limit_per_user AS rateLimitPerUser,
     a.rate_limit_per_app AS rateLimitPerApp, a.is_enabled AS isEnabled,
     k.expires_at AS expiresAt, k.revoked_at AS revokedAt
   FROM api_keys k JOIN realms r ON r.id = k.realm_id JOIN apps a ON a.id = r.app_id
   WHERE k.hash = $hash`,
)

/** Null for a key that is mistyped (no look at the database), unknown, revoked or expired. */
export function findKey(db: Db, text: string): FoundKey | null {
  if (!isWellFormedKey(text)) return null
  const key = select.get(db, { hash: hashKey(text) })
  if (!key || key.revokedAt !== null) return null
  if (key.expiresAt !== null && key.expiresAt <= db.clock.now()) return null
  return key
}

import type { KeyId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { Deps, Realm } from '@/deps'
import { hashKey, isWellFormedKey, type KeyKind } from './key-text'

/** A key that works, with what every call needs to know of its app. */
export type KeyOfApp = Pick<FoundKey, 'keyId' | 'kind' | 'expiresAt'> &
  Pick<AppOfKey, 'rateLimitPerUser' | 'rateLimitPerApp' | 'isEnabled'> & { realm: Realm }

type RealmOfKey = Pick<Realm, 'mode' | 'appId'>
type FoundKey = RealmOfKey & {
  keyId: KeyId
  kind: KeyKind
  realmId: Realm['id']
  expiresAt: number | null
  revokedAt: number | null
}
type AppOfKey = Omit<Realm, keyof RealmOfKey | 'id'> & {
  rateLimitPerUser: number
  rateLimitPerApp: number
  isEnabled: 0 | 1
}

// Scalar subqueries and not a join: bun:sqlite takes 9 us for the join of three tables and 3 for this.
const select = query<{ hash: Uint8Array }, FoundKey>(
  `SELECT k.id AS keyId, k.kind, k.realm_id AS realmId, k.expires_at AS expiresAt, k.revoked_at AS revokedAt,
     (SELECT mode FROM realms WHERE id = k.realm_id) AS mode,
     (SELECT app_id FROM realms WHERE id = k.realm_id) AS appId
   FROM api_keys k WHERE k.hash = $hash`,
)
const selectApp = query<{ id: number }, AppOfKey>(
  `SELECT slug AS appSlug, welcome_grant AS welcomeGrant, rate_limit_per_user AS rateLimitPerUser,
     rate_limit_per_app AS rateLimitPerApp, is_enabled AS isEnabled, time_zone AS timeZone,
     monthly_budget_micro_usd AS monthlyBudgetMicroUsd, budget_action AS budgetAction,
     low_balance_threshold AS lowBalanceThreshold
   FROM apps WHERE id = $id`,
)

/**
 * Null for a key that is mistyped (no look at the database), unknown, revoked or expired. A good key is
 * remembered until anything about keys or apps changes, here or in another process.
 */
export function findKey(deps: Pick<Deps, 'db' | 'cache'>, text: string): KeyOfApp | null {
  if (!isWellFormedKey(text)) return null
  const hash = hashKey(text)
  const key = deps.cache.get(`key:${Buffer.from(hash).toString('base64')}`, () =>
    read(deps.db, hash),
  )
  const isExpired = key?.expiresAt != null && key.expiresAt <= deps.db.clock.now()
  return isExpired ? null : key
}

function read(db: Db, hash: Uint8Array): KeyOfApp | null {
  const key = select.get(db, { hash })
  if (!key || key.revokedAt !== null) return null
  const app = selectApp.get(db, { id: key.appId })
  if (!app) return null
  const { keyId, kind, expiresAt, realmId: id, mode, appId } = key
  const { rateLimitPerUser, rateLimitPerApp, isEnabled, ...rest } = app
  const realm = { id, mode, appId, ...rest }
  return { keyId, kind, expiresAt, rateLimitPerUser, rateLimitPerApp, isEnabled, realm }
}

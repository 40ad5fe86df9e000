import type { AppId, KeyId, RealmId } from '@/base/ids'
import type { Db } from '@/db/open'
import type { BudgetAction } from '@/db/schema'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Mode, Realm } from '@/deps'
import type { KeyKind } from './key-text'

export type App = {
  id: AppId
  name: string
  slug: string
  keyPrefix: string
  welcomeGrant: number
  rateLimitPerUser: number
  rateLimitPerApp: number
  isEnabled: 0 | 1
  timeZone: string
  monthlyBudgetMicroUsd: number | null
  budgetAction: BudgetAction
  lowBalanceThreshold: number | null
  createdAt: number
}

const COLUMNS = `id, name, slug, key_prefix AS keyPrefix, welcome_grant AS welcomeGrant,
  rate_limit_per_user AS rateLimitPerUser, rate_limit_per_app AS rateLimitPerApp,
  is_enabled AS isEnabled, time_zone AS timeZone, monthly_budget_micro_usd AS monthlyBudgetMicroUsd,
  budget_action AS budgetAction, low_balance_threshold AS lowBalanceThreshold, created_at AS createdAt`

const bySlug = query<{ slug: string }, App>(`SELECT ${COLUMNS} FROM apps WHERE slug = $slug`)
const all = query<Record<string, never>, App>(`SELECT ${COLUMNS} FROM apps ORDER BY id`, {
  mayScan: 'apps are few, and this lists them all for the shell',
})
const REALM = `r.id, r.mode, r.app_id AS appId, a.slug AS appSlug,
  a.welcome_grant AS welcomeGrant, a.time_zone AS timeZone,
  a.monthly_budget_micro_usd AS monthlyBudgetMicroUsd, a.budget_action AS budgetAction,
  a.low_balance_threshold AS lowBalanceThreshold`
const realms = query<{ appId: number }, Realm>(
  `SELECT ${REALM} FROM realms r JOIN apps a ON a.id = r.app_id WHERE r.app_id = $appId`,
)
const realmById = query<{ id: number }, Realm>(
  `SELECT ${REALM} FROM realms r JOIN apps a ON a.id = r.app_id WHERE r.id = $id`,
)
const liveRealms = query<Record<string, never>, Realm>(
  `SELECT ${REALM} FROM realms r JOIN apps a ON a.id = r.app_id WHERE r.mode = 'live' ORDER BY r.id`,
  { mayScan: 'apps are few, and a chore looks at them once a minute' },
)

export type ListedKey = {
  id: KeyId
  kind: KeyKind
  display: string
  createdAt: number
  lastUsedAt: number | null
  expiresAt: number | null
  revokedAt: number | null
}
const keys = query<{ realmId: number }, ListedKey>(
  `SELECT id, kind, display, created_at AS createdAt, last_used_at AS lastUsedAt, expires_at AS expiresAt,
     revoked_at AS revokedAt FROM api_keys WHERE realm_id = $realmId ORDER BY id`,
)

export function findApp(from: Db | Tx, slug: string): App | null {
  return bySlug.get(from, { slug })
}

export function listApps(db: Db): App[] {
  return all.all(db, {})
}

export function realmsOf(from: Db | Tx, appId: AppId): Record<Mode, Realm> {
  const rows = realms.all(from, { appId })
  const byMode = Object.fromEntries(rows.map(realm => [realm.mode, realm]))
  return byMode as Record<Mode, Realm>
}

export function findRealm(from: Db | Tx, id: RealmId): Realm | null {
  return realmById.get(from, { id })
}

/** Where money is spent. */
export function listLiveRealms(from: Db | Tx): Realm[] {
  return liveRealms.all(from, {})
}

/** Without the keys themselves: only their hashes are stored. */
export function listRealmKeys(db: Db, realmId: RealmId): ListedKey[] {
  return keys.all(db, { realmId })
}

import type { Cache } from './base/cache'
import type { Clock } from './base/clock'
import type { Config } from './base/config'
import type { AppId, KeyId, RealmId } from './base/ids'
import type { Log } from './base/log'
import type { SafeFetch } from './base/safe-fetch'
import type { Secrets } from './base/secrets'
import type { Db } from './db/open'
import type { BudgetAction } from './db/schema'
import type { Registry } from './providers/registry'
import type { Lanes } from './queue/lanes'
import type { Storage } from './storage/spec'

/** What the process is made of. Types only, so every floor may name it. */
export type Deps = {
  config: Config
  db: Db
  clock: Clock
  log: Log
  fetch: SafeFetch
  secrets: Secrets
  providers: Registry
  storage: Storage
  cache: Cache
  lanes: Lanes
  /** Where others reach us when nobody's call tells: PUBLIC_URL, else this machine. */
  ownUrl(): string
}

export type Mode = 'live' | 'test'

/** One app in one mode. Everything of a tenant is read through its id. */
export type Realm = {
  id: RealmId
  mode: Mode
  appId: AppId
  appSlug: string
  welcomeGrant: number
  /** IANA name: where the app's days and months begin. */
  timeZone: string
  /** What its live jobs may cost in a month, micro-USD; null: no budget of its own. */
  monthlyBudgetMicroUsd: number | null
  /** What happens at the end of that. */
  budgetAction: BudgetAction
  /** A user who falls below so many tokens is worth an event; null: nobody wants to know. */
  lowBalanceThreshold: number | null
}

/** Who does something, for the audit log. */
export type Actor = {
  kind: 'key' | 'admin' | 'shell' | 'system'
  id: string
  keyId?: KeyId
  realm?: Realm
  ip?: string
  requestId?: string
}

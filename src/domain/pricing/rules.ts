import type { RealmId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Deps, Realm } from '@/deps'
import { type Compiled, compile } from './compile'
import { Rule } from './rule'

/** In the place of a realm: for every app that has no rule of its own. */
export const HUB = 0
export type RuleScope = RealmId | typeof HUB

/** More than there are models and features; a realm's rules lie in memory together. */
export const MAX_RULES = 500

export type StoredRule = {
  id: number
  subject: string
  version: number
  /** JSON text of a `Rule`. */
  rule: string
  createdAt: number
}
export type RuleInForce = { version: number; of: 'app' | 'hub'; compiled: Compiled }

const COLUMNS = 'id, subject, version, rule, created_at AS createdAt'

const bySubject = query<{ realmId: number; subject: string }, StoredRule>(
  `SELECT ${COLUMNS} FROM pricing_rules
   WHERE realm_id = $realmId AND subject = $subject AND replaced_at IS NULL`,
)
const allOf = query<{ realmId: number }, StoredRule>(
  `SELECT ${COLUMNS} FROM pricing_rules
   WHERE realm_id = $realmId AND replaced_at IS NULL ORDER BY subject`,
)
const newest = query<{ realmId: number; subject: string }, { version: number | null }>(
  `SELECT max(version) AS version FROM pricing_rules
   WHERE realm_id = $realmId AND subject = $subject`,
)

/** The app's own rule for this subject, else the hub's. */
export function ruleInForce(
  deps: Pick<Deps, 'db' | 'cache'>,
  realmId: RealmId,
  subject: string,
): RuleInForce | null {
  const own = rulesOf(deps, realmId).get(subject)
  const row = own ?? rulesOf(deps, HUB).get(subject)
  if (!row) return null
  // A row is never changed, so its number says what is in it for ever.
  const compiled = deps.cache.keep(`price-rule:${row.id}`, () => compile(readRule(row)))
  return { version: row.version, of: own ? 'app' : 'hub', compiled }
}

/** One entry for a realm and not for each subject: what has no rule is asked for most. */
function rulesOf(
  { db, cache }: Pick<Deps, 'db' | 'cache'>,
  realmId: RuleScope,
): ReadonlyMap<string, StoredRule> {
  return cache.get(
    `prices:${realmId}`,
    () => new Map(allOf.all(db, { realmId }).map(row => [row.subject, row])),
  )
}

/** By subject. */
export function listRules(from: Db | Tx, realmId: RuleScope): StoredRule[] {
  return allOf.all(from, { realmId })
}

export function findRule(from: Db | Tx, realmId: RuleScope, subject: string): StoredRule | null {
  return bySubject.get(from, { realmId, subject })
}

export function readRule({ rule }: Pick<StoredRule, 'rule'>): Rule {
  return Rule.parse(JSON.parse(rule))
}

/** 0 where there was never a rule. Those that were removed count: a version means one rule for ever. */
export function newestVersion(from: Db | Tx, realmId: RuleScope, subject: string): number {
  return newest.get(from, { realmId, subject })?.version ?? 0
}

export function scopeOf(realm: Realm | null): RuleInForce['of'] {
  return realm ? 'app' : 'hub'
}

import { AppError, invalidInput } from '@/base/errors'
import { inputProblems } from '@/base/input-problems'
import { command, returning } from '@/db/statements'
import { write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { record } from '@/domain/audit'
import { checkRule } from './check-rule'
import { compile } from './compile'
import { exampleOf } from './example'
import type { Quote } from './quote'
import { Rule } from './rule'
import { findRule, HUB, listRules, MAX_RULES, newestVersion, scopeOf } from './rules'
import { checkedAs, nameOfSubject, type PriceSubject, subjectOf } from './subject'
import { type PriceView, viewOf } from './view'

/** The app's rule in one mode, or with null the hub's, for every app that has none of its own. */
export type Pricing = { realm: Realm | null; subject: string }

const insert = command<{
  id: number
  realmId: number
  subject: string
  version: number
  rule: string
  now: number
}>(
  `INSERT INTO pricing_rules (id, realm_id, subject, version, rule, created_at)
   VALUES ($id, $realmId, $subject, $version, $rule, $now)`,
)
const replace = returning<{ realmId: number; subject: string; now: number }, { version: number }>(
  `UPDATE pricing_rules SET replaced_at = $now
   WHERE realm_id = $realmId AND subject = $subject AND replaced_at IS NULL RETURNING version`,
)

/**
 * Puts a rule in force from now on; jobs that were quoted before keep their price. The same rule again changes
 * nothing. Throws 404 for a subject that is not there, and 400 naming every wrong field of `rule`.
 */
export async function setRule(
  deps: Deps,
  actor: Actor,
  { realm, subject, rule: given }: Pricing & { rule: unknown },
): Promise<PriceView> {
  const known = subjectOf(deps, subject)
  const rule = JSON.stringify(checked(deps, known, given))
  const realmId = realm?.id ?? HUB
  const row = await write(deps.db, tx => {
    const present = findRule(tx, realmId, known.name)
    if (present?.rule === rule) return present
    if (!present && listRules(tx, realmId).length >= MAX_RULES) {
      throw invalidInput('subject', `must be one of the ${MAX_RULES} that have a price already`)
    }
    if (present) replace.get(tx, { realmId, subject: known.name, now: tx.now })
    const version = newestVersion(tx, realmId, known.name) + 1
    const made = { id: tx.id(), subject: known.name, version, rule, createdAt: tx.now }
    insert.run(tx, { id: made.id, realmId, subject: made.subject, version, rule, now: tx.now })
    record(tx, actor, 'price.set', known.name, { version, scope: scopeOf(realm) })
    tx.after(() => deps.cache.clear())
    return made
  })
  return viewOf(deps, realm, row)
}

/** From now on the hub's rule holds, or the model's plain price. Answers its name; throws 404 where there is no rule. */
export async function removeRule(
  deps: Deps,
  actor: Actor,
  { realm, subject: asked }: Pricing,
): Promise<string> {
  const subject = nameOfSubject(deps, asked)
  return await write(deps.db, tx => {
    const realmId = realm?.id ?? HUB
    const removed = replace.get(tx, { realmId, subject, now: tx.now })
    if (!removed) throw new AppError('not_found')
    const details = { version: removed.version, scope: scopeOf(realm) }
    record(tx, actor, 'price.remove', subject, details)
    tx.after(() => deps.cache.clear())
    return subject
  })
}

/** What a rule would charge, without saving it: for `input`, or without one for the usual request. */
export function tryRule(
  deps: Deps,
  { realm, subject, rule: given, input }: Pricing & { rule: unknown; input?: unknown },
): Quote | null {
  const known = subjectOf(deps, subject)
  const rule = { compiled: compile(checked(deps, known, given)), version: 0, of: scopeOf(realm) }
  return exampleOf(deps, known, rule, { mode: realm?.mode ?? 'live', input })
}

function checked(deps: Deps, subject: PriceSubject, given: unknown): Rule {
  const parsed = Rule.safeParse(given)
  const details = parsed.success
    ? checkRule(parsed.data, checkedAs(deps, subject))
    : inputProblems(parsed.error, 'rule', 'is not a word of a price rule')
  if (!parsed.success || details.length > 0)
    throw new AppError('invalid_input', { detail: { details } })
  return parsed.data
}

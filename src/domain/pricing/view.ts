import { AppError } from '@/base/errors'
import type { Deps, Realm } from '@/deps'
import { compile } from './compile'
import { exampleOf } from './example'
import type { Quote } from './quote'
import type { Rule } from './rule'
import { findRule, HUB, listRules, readRule, type StoredRule, scopeOf } from './rules'
import { nameOfSubject, subjectOf } from './subject'

/** A rule in force, with what the usual request costs by it. */
export type PriceView = {
  subject: string
  version: number
  rule: Rule
  createdAt: number
  /** Null where there is no usual request, or where its model has gone or changed. */
  example: Quote | null
}

/** Null where there is none; a rule of the hub is not an app's own. */
export function findPrice(deps: Deps, realm: Realm | null, subject: string): PriceView | null {
  const row = findRule(deps.db, realm?.id ?? HUB, nameOfSubject(deps, subject))
  return row && viewOf(deps, realm, row)
}

/** By subject. */
export function listPrices(deps: Deps, realm: Realm | null): PriceView[] {
  return listRules(deps.db, realm?.id ?? HUB).map(row => viewOf(deps, realm, row))
}

export function viewOf(deps: Deps, realm: Realm | null, row: StoredRule): PriceView {
  const rule = readRule(row)
  const { subject, version, createdAt } = row
  return { subject, version, rule, createdAt, example: example(deps, realm, row, rule) }
}

function example(deps: Deps, realm: Realm | null, row: StoredRule, rule: Rule): Quote | null {
  try {
    const compiled = { compiled: compile(rule), version: row.version, of: scopeOf(realm) }
    const mode = realm?.mode ?? 'live'
    return exampleOf(deps, subjectOf(deps, row.subject), compiled, { mode })
  } catch (error) {
    if (error instanceof AppError) return null
    throw error
  }
}

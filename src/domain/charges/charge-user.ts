import { AppError, invalidInput } from '@/base/errors'
import { type EntryId, formatId, type UserId } from '@/base/ids'
import { type Tx, write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { record } from '@/domain/audit'
import { once } from '@/domain/idempotency'
import * as ledger from '@/domain/ledger'
import { entitlementFor } from '@/domain/plans'
import { featurePrice, type Step } from '@/domain/pricing'
import { findByExternalId } from '@/domain/users'

/** An amount that the app names, or one of its features that has a price here. */
export type WhatFor =
  | { amount: number }
  | { feature: string; input?: Record<string, unknown> | undefined }

export type Charged = {
  /** Null when the feature costs nothing at the moment: nothing was taken. */
  entryId: EntryId | null
  amount: number
  balance: number
  feature: string | null
  /** How the price came about; null where the app named the amount. */
  steps: Step[] | null
}
type Price = Pick<Charged, 'amount' | 'feature' | 'steps'>
export type ChargeAnswer = Charged & { isReplay: boolean }

type Key = { key: string; hash: string } | null

/**
 * Takes tokens now, for something of the app's own. The key is kept for ever on the ledger entry, the whole answer
 * as long as other answers. Throws 404 for a user who is not there, 403 `user_deactivated`, 402, 400 naming
 * `feature` when that has no price, 422 for a reused key.
 */
export async function chargeUser(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  request: { externalId: string; what: WhatFor; reason: string; idempotency: Key },
): Promise<ChargeAnswer> {
  const { what, idempotency } = request
  const price = priceOrRefusal(deps, realm, what)
  return await write(deps.db, tx => {
    const user = findByExternalId(tx, realm.id, request.externalId)
    if (!user) throw new AppError('not_found')
    const scope = idempotency && {
      realmId: realm.id,
      userId: user.id,
      operation: 'charge user',
      ...idempotency,
    }
    const own = idempotency && {
      key: `${realm.id}:charge:${user.id}:${idempotency.key}`,
      hash: idempotency.hash,
    }
    let isOld = false
    const result = once(tx, scope, () => {
      const kept = keptAnswer(tx, own, what)
      isOld = kept !== null
      if (kept) return { status: 200, answer: kept }
      if (!user.isActive) throw new AppError('user_deactivated')
      if (price instanceof AppError) throw price
      const answer = take(tx, deps, realm, { userId: user.id, price, reason: request.reason, own })
      if (answer.entryId !== null) {
        record(tx, actor, 'tokens.charge', formatId('entry', answer.entryId), auditOf(answer))
      }
      return { status: 200, answer }
    })
    return { ...result.answer, isReplay: result.isReplay || isOld }
  })
}

/** After the kept answer was forgotten, the entry still knows its key; only the steps are gone. */
function keptAnswer(tx: Tx, own: Key, what: WhatFor): Charged | null {
  const entry = own && ledger.entryByKey(tx, own.key)
  if (!entry) return null
  if (entry.requestHash !== own.hash) throw new AppError('idempotency_mismatch')
  return {
    entryId: entry.id,
    amount: -entry.amount,
    balance: entry.balanceAfter,
    feature: 'feature' in what ? what.feature : null,
    steps: null,
  }
}

function take(
  tx: Tx,
  deps: Deps,
  realm: Realm,
  { userId, price, reason, own }: { userId: UserId; price: Price; reason: string; own: Key },
): Charged {
  // Tokens of a period that has begun are there, whether or not time has come by with them.
  entitlementFor(tx, deps, realm, userId)
  if (price.amount === 0) {
    const balance = ledger.availableOf(tx, { realmId: realm.id, userId })
    return { entryId: null, balance, ...price }
  }
  const made = ledger.charge(tx, {
    realmId: realm.id,
    userId,
    amount: price.amount,
    description: reason,
    ...(own ? { idempotency: own } : {}),
  })
  return { entryId: made.entryId, balance: made.newBalance, ...price }
}

/** Prices are read before the write. A repeated call gets its answer even when its price has gone since. */
function priceOrRefusal(deps: Deps, realm: Realm, what: WhatFor): Price | AppError {
  if ('amount' in what) return { amount: what.amount, feature: null, steps: null }
  try {
    const price = featurePrice(deps, realm, what.feature, what.input)
    if (!price) return invalidInput('feature', 'has no price: set one, or send an amount')
    return { amount: price.tokens, feature: what.feature, steps: price.steps }
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
}

function auditOf({ amount, feature, steps }: Charged): Record<string, unknown> {
  return { amount, ...(feature === null ? {} : { feature, steps: steps?.map(step => step.what) }) }
}

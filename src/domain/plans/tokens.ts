import { isoSeconds } from '@/base/clock'
import type { Tx } from '@/db/write'
import { grant } from '@/domain/ledger'
import type { Plan } from './find'
import type { Subscription } from './subscription'

/** What the ledger keeps with every grant of a subscription; a second one of the same is refused by the database. */
export const SOURCE = 'subscription'

/** The tokens of one period. They end with it, or never where the plan rolls over. */
export function grantPeriod(tx: Tx, subscription: Subscription, plan: Plan): void {
  give(tx, subscription, plan, {
    amount: plan.tokensPerPeriod,
    id: `${subscription.id}:${subscription.periodNumber}`,
    what: plan.name,
  })
}

/**
 * What an upgrade in the middle of a period brings: the tokens that it has more, times the share of the
 * period that is left, rounded up. More than what the period was counted at so far, so that going down and
 * up again brings nothing.
 */
export function grantUpgrade(tx: Tx, subscription: Subscription, plan: Plan): void {
  const { periodTokens, periodStart, periodEnd } = subscription
  const amount = proratedTokens(plan.tokensPerPeriod - periodTokens, {
    leftMs: periodEnd - tx.now,
    lengthMs: periodEnd - periodStart,
  })
  give(tx, subscription, plan, {
    amount,
    id: `${subscription.id}:${subscription.periodNumber}:${plan.tokensPerPeriod}`,
    what: `change to ${plan.name}`,
  })
}

/** Exact: the product is beyond what a double holds. Nothing for nothing, and nothing is taken back. */
export function proratedTokens(more: number, of: { leftMs: number; lengthMs: number }): number {
  if (more <= 0 || of.leftMs <= 0) return 0
  const length = BigInt(of.lengthMs)
  return Number((BigInt(more) * BigInt(of.leftMs) + length - 1n) / length)
}

function give(
  tx: Tx,
  { realmId, userId, periodStart, periodEnd }: Subscription,
  plan: Plan,
  { amount, id, what }: { amount: number; id: string; what: string },
): void {
  if (amount === 0) return
  grant(tx, {
    realmId,
    userId,
    amount,
    type: 'GRANT',
    origin: 'subscription',
    expiresAt: plan.isRollover ? null : periodEnd,
    mayBeOver: true,
    description: `${what}, ${dayOf(periodStart)} to ${dayOf(periodEnd)}`,
    source: { name: SOURCE, id },
  })
}

const dayOf = (ms: number) => isoSeconds(ms).slice(0, 10)

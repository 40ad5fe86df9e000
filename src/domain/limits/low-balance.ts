import type { JobId } from '@/base/ids'
import type { Tx } from '@/db/write'
import type { Realm } from '@/deps'
import { announceLowBalance } from '@/domain/webhooks'

/**
 * Tells the app that a hold took its user's tokens below the threshold: the hold that crossed it, and no
 * other until the user was above it again. Tokens are what can be spent after the hold.
 */
export function noteLowBalance(
  tx: Tx,
  { id: realmId, lowBalanceThreshold: threshold }: Realm,
  hold: { jobId: JobId; tokens: number; balanceAfter: number },
): void {
  if (threshold === null) return
  const { jobId, tokens, balanceAfter: balance } = hold
  const isCrossed = balance < threshold && balance + tokens >= threshold
  if (isCrossed) announceLowBalance(tx, { realmId, jobId, balance, threshold })
}

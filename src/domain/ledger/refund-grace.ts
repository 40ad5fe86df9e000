import { z } from 'zod'
import type { Db } from '@/db/open'
import type { Tx } from '@/db/write'
import { readSetting, type Setting } from '@/domain/settings'

const MAX_DAYS = 365

/** How long a bucket that expired while its tokens were held is open again when they come back. */
export const REFUND_GRACE_DAYS: Setting<number> = {
  name: 'ledger.refund_grace_days',
  schema: z.int().min(0).max(MAX_DAYS),
  usual: 7,
  description: `Days for which tokens that come back after their expiry can be spent, 0 to ${MAX_DAYS}.`,
}

export function refundGraceDays(from: Tx | Db): number {
  return readSetting(from, REFUND_GRACE_DAYS)
}

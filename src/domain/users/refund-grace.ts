import { invalidInput } from '@/base/errors'
import { write } from '@/db/write'
import type { Actor, Deps } from '@/deps'
import { record } from '@/domain/audit'
import { REFUND_GRACE_DAYS } from '@/domain/ledger'
import { saveSetting } from '@/domain/settings'

/** How long tokens that come back after their expiry can be spent. Null: as usual. Throws 400 for a bad number. */
export async function setRefundGrace(deps: Deps, actor: Actor, days: number | null): Promise<void> {
  if (days !== null && !REFUND_GRACE_DAYS.schema.safeParse(days).success) {
    throw invalidInput('days', REFUND_GRACE_DAYS.description)
  }
  await write(deps.db, tx => {
    saveSetting(tx, REFUND_GRACE_DAYS, days)
    record(tx, actor, 'settings.change', REFUND_GRACE_DAYS.name, { days })
    tx.after(() => deps.cache.clear())
  })
}

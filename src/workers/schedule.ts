import { HOUR, MINUTE, SECOND } from '@/base/clock'
import { write } from '@/db/write'
import type { Deps } from '@/deps'
import { enqueue } from '@/queue/enqueue'

/** What time itself orders. A slot that was missed while we were down is made up once, not once each. */
export const SCHEDULE = [
  { kind: 'keys.note_use', everyMs: MINUTE },
  { kind: 'tokens.expire', everyMs: MINUTE },
  { kind: 'subscriptions.renew', everyMs: MINUTE },
  { kind: 'budgets.watch', everyMs: MINUTE },
  { kind: 'providers.check', everyMs: 5 * MINUTE },
  { kind: 'database.tidy', everyMs: 5 * MINUTE },
  { kind: 'idempotency.forget', everyMs: HOUR },
] as const

const TICK_MS = 10 * SECOND

/** Answers the way to stop it. */
export function startSchedule(deps: Deps): () => void {
  const slots = new Map<string, number>()
  const tick = async () => {
    const due = SCHEDULE.map(({ kind, everyMs }) => ({
      kind,
      slot: Math.floor(deps.clock.now() / everyMs),
    })).filter(({ kind, slot }) => slots.get(kind) !== slot)
    if (due.length === 0) return
    await write(deps.db, tx => {
      for (const { kind } of due)
        enqueue(tx, { kind, pool: 'chores', payload: {}, uniqueKey: kind })
    })
    // Only now: an order that could not be written is made up by the next tick.
    for (const { kind, slot } of due) slots.set(kind, slot)
  }
  const safeTick = () =>
    void tick().catch(error => deps.log.warn('scheduled tasks could not be ordered', { error }))
  safeTick()
  const timer = setInterval(safeTick, TICK_MS)
  return () => clearInterval(timer)
}

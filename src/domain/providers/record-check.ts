import type { ProviderHealth } from '@/db/schema'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Check, CheckOutcome } from './check'
import { type ProviderRow, readProvider } from './find'

const store = command<{
  id: number
  health: ProviderHealth
  message: string | null
  checkedAt: number | null
  failures: number
}>(
  `UPDATE providers SET health = $health, health_message = $message, checked_at = $checkedAt,
     check_failures = $failures WHERE id = $id`,
)

/** One failure may be a hiccup of the way. */
const FAILURES_UNTIL_DOWN = 2

export type HealthChange = { before: ProviderHealth; after: ProviderHealth }

/**
 * Keeps what a check found. Null where the row was changed since it was asked about: then it says nothing of
 * the key that is there now.
 */
export function recordCheck(tx: Tx, check: Check): HealthChange | null {
  const row = readProvider(tx, check.name)
  if (!row || row.updatedAt !== check.ofUpdate) return null
  const { health, failures, wasAsked } = stateAfter(row, check.outcome)
  const change = { before: row.health, after: health }
  const isOld = !wasAsked && row.checkedAt === null && row.health === health
  if (isOld) return change
  store.run(tx, {
    id: row.id,
    health,
    failures,
    message: wasAsked ? check.message : null,
    checkedAt: wasAsked ? tx.now : null,
  })
  return change
}

function stateAfter(
  { checkFailures }: Pick<ProviderRow, 'checkFailures'>,
  outcome: CheckOutcome,
): { health: ProviderHealth; failures: number; wasAsked: boolean } {
  const failures = checkFailures + 1
  switch (outcome) {
    case 'ok':
      return { health: 'healthy', failures: 0, wasAsked: true }
    // It is there and serves others: no step towards down.
    case 'limited':
      return { health: 'degraded', failures: checkFailures, wasAsked: true }
    case 'refused':
    case 'unreadable_key':
      return { health: 'down', failures, wasAsked: true }
    case 'failing':
    case 'unreachable':
      return {
        health: failures < FAILURES_UNTIL_DOWN ? 'degraded' : 'down',
        failures,
        wasAsked: true,
      }
    case 'no_key':
    case 'no_adapter':
    case 'no_check':
      return { health: 'unknown', failures: 0, wasAsked: false }
  }
}

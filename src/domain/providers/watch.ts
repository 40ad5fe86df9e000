import type { Deps } from '@/deps'
import { type Checked, checkEach } from './check-each'
import { allProviders } from './find'

/**
 * The check that time orders: of every vendor that is switched on, or of one. Says in the log who changed,
 * and nothing of who stayed as they were.
 */
export async function watch(deps: Deps, name: string | null, signal: AbortSignal): Promise<void> {
  const names = allProviders(deps)
    .filter(row => row.isEnabled === 1 && (name === null || row.name === name))
    .map(row => row.name)
  for (const checked of await checkEach(deps, names, signal)) tell(deps, checked)
}

function tell({ log }: Deps, { name, outcome, message, change }: Checked): void {
  if (!change || change.before === change.after) return
  const fields = { provider: name, health: change.after, outcome, reason: message }
  if (change.after === 'down' || change.after === 'degraded') {
    log.warn('a provider does not answer as it should', fields)
  } else {
    log.info('the health of a provider changed', fields)
  }
}

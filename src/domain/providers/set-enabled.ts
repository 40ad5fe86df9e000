import { AppError } from '@/base/errors'
import { command } from '@/db/statements'
import type { Actor, Deps } from '@/deps'
import { changeProvider, orderCheck, SANDBOX } from './change'

const store = command<{ id: number; isEnabled: 0 | 1; now: number }>(
  'UPDATE providers SET is_enabled = $isEnabled, updated_at = $now WHERE id = $id',
)

/**
 * Pauses a vendor: no new job goes there, and what it works on is still fetched. Or lets it serve again, and
 * checks it soon. False: it was so already. Throws 404, and 409 for the sandbox.
 */
export async function setEnabled(
  deps: Deps,
  actor: Actor,
  name: string,
  isEnabled: boolean,
): Promise<boolean> {
  if (name === SANDBOX) {
    throw new AppError('conflict', {
      internal: 'the sandbox serves test keys and cannot be paused',
    })
  }
  return await changeProvider(deps, actor, name, (tx, row) => {
    if ((row.isEnabled === 1) === isEnabled) return null
    store.run(tx, { id: row.id, isEnabled: isEnabled ? 1 : 0, now: tx.now })
    if (isEnabled) orderCheck(tx, name)
    return isEnabled ? 'provider.resume' : 'provider.pause'
  })
}

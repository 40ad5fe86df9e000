import { AppError, invalidInput } from '@/base/errors'
import { formatId } from '@/base/ids'
import { type Tx, write } from '@/db/write'
import type { Actor, Deps } from '@/deps'
import { record } from '@/domain/audit'
import { enqueue } from '@/queue/enqueue'
import { type ProviderRow, readProvider } from './find'
import { isProviderKey } from './key'

/** Test keys always run on it, whatever its row says: it has no key and no switch. */
export const SANDBOX = 'sandbox'

/**
 * One change of an operator to a vendor's row, with its line in the audit log, and what was known of the row
 * forgotten. `change` answers the word for the log, or null when there was nothing to change: then the answer
 * is false. Throws 404 for a vendor that is not here.
 */
export async function changeProvider(
  deps: Deps,
  actor: Actor,
  name: string,
  change: (tx: Tx, row: ProviderRow) => string | null,
): Promise<boolean> {
  return await write(deps.db, tx => {
    const row = readProvider(tx, name)
    if (!row) throw new AppError('not_found')
    const action = change(tx, row)
    if (action === null) return false
    record(tx, actor, action, formatId('provider', row.id), { name })
    tx.after(() => deps.cache.clear())
    return true
  })
}

/** Not named uniquely: an order that waits may be about the key of before. */
export function orderCheck(tx: Tx, name: string): void {
  enqueue(tx, { kind: 'providers.check', pool: 'chores', payload: { provider: name } })
}

/** Throws 400 for what no vendor gives out. The message never repeats it. */
export function assertSendable(path: 'key' | 'secret', text: string): void {
  if (isProviderKey(text)) return
  throw invalidInput(path, 'must have 1 to 1000 characters of ASCII without spaces or line breaks')
}

/** Throws 409 where a key would never be used. */
export function assertTakesKey(deps: Pick<Deps, 'providers'>, name: string): void {
  if (deps.providers.get(name)?.isKeyless !== true) return
  throw new AppError('conflict', { internal: `${name} needs no key` })
}

import type { KeyId } from '@/base/ids'
import { command } from '@/db/statements'
import { write } from '@/db/write'
import type { Deps } from '@/deps'

const update = command<{ id: number; at: number }>(
  'UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), $at) WHERE id = $id',
)

const used = new WeakMap<Deps['db'], Map<KeyId, number>>()

/** Remembered only: a write per call would cost more than the call. */
export function noteUse(deps: Deps, keyId: KeyId): void {
  let keys = used.get(deps.db)
  if (!keys) {
    keys = new Map()
    used.set(deps.db, keys)
  }
  keys.set(keyId, deps.clock.now())
}

/** Writes what was remembered; called each minute and at the end. */
export async function flushLastUsed(deps: Deps): Promise<void> {
  const keys = used.get(deps.db)
  if (!keys || keys.size === 0) return
  const entries = [...keys]
  keys.clear()
  await write(deps.db, tx => {
    for (const [id, at] of entries) update.run(tx, { id, at })
  })
}

import type { z } from 'zod'
import type { Db } from '@/db/open'
import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Deps } from '@/deps'

const select = query<{ name: string }, { value: string }>(
  'SELECT value FROM settings WHERE name = $name',
)
const upsert = command<{ name: string; value: string; now: number }>(
  `INSERT INTO settings (name, value, updated_at) VALUES ($name, $value, $now)
   ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`,
)
const remove = command<{ name: string }>('DELETE FROM settings WHERE name = $name')

/** What an operator may change while we run: its name, its shape and what holds while nobody changed it. */
export type Setting<T> = { name: string; schema: z.ZodType<T>; usual: T; description: string }

/** Read through the cache, which every change of a setting empties. */
export function settingOf<T>(deps: Pick<Deps, 'db' | 'cache' | 'log'>, setting: Setting<T>): T {
  return deps.cache.get(`setting:${setting.name}`, () =>
    readSetting(deps.db, setting, () => {
      deps.log.warn('a setting cannot be read and is left aside', { setting: setting.name })
    }),
  )
}

/** Without the cache, for a verb that has only a transaction and seldom asks. */
export function readSetting<T>(
  from: Tx | Db,
  setting: Setting<T>,
  onUnreadable: () => void = () => {},
): T {
  const row = select.get(from, { name: setting.name })
  if (!row) return setting.usual
  const read = setting.schema.safeParse(parse(row.value))
  if (read.success) return read.data
  onUnreadable()
  return setting.usual
}

/** Null: back to the usual. The caller has checked the value, and empties the cache. */
export function saveSetting<T>(tx: Tx, setting: Setting<T>, value: T | null): void {
  if (value === null) remove.run(tx, { name: setting.name })
  else upsert.run(tx, { name: setting.name, value: JSON.stringify(value), now: tx.now })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

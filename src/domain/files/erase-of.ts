import { type FileId, formatId, type UserId } from '@/base/ids'
import { command, query } from '@/db/statements'
import { write } from '@/db/write'
import type { Deps } from '@/deps'

const some = query<{ userId: number; limit: number }, { id: FileId }>(
  'SELECT id FROM files WHERE user_id = $userId ORDER BY id LIMIT $limit',
)
const doom = command<{ id: number }>('UPDATE files SET is_doomed = 1 WHERE id = $id')
const remove = command<{ id: number }>('DELETE FROM files WHERE id = $id')

const AT_ONCE = 100

/** Erases every file of a person: the row is doomed first, so that no link opens what is half gone. */
export async function eraseOf(deps: Deps, userId: UserId): Promise<void> {
  for (;;) {
    const files = some.all(deps.db, { userId, limit: AT_ONCE })
    if (files.length === 0) return
    await write(deps.db, tx => {
      for (const { id } of files) doom.run(tx, { id })
    })
    for (const { id } of files) await deps.storage.delete(formatId('file', id))
    await write(deps.db, tx => {
      for (const { id } of files) remove.run(tx, { id })
    })
  }
}

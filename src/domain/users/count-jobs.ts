import type { UserId } from '@/base/ids'
import { command } from '@/db/statements'
import type { Tx } from '@/db/write'

const total = command<{ id: number }>('UPDATE users SET total_jobs = total_jobs + 1 WHERE id = $id')
const successful = command<{ id: number }>(
  'UPDATE users SET successful_jobs = successful_jobs + 1 WHERE id = $id',
)

export function countJob(tx: Tx, id: UserId): void {
  total.run(tx, { id })
}

export function countSuccess(tx: Tx, id: UserId): void {
  successful.run(tx, { id })
}

import { AppError } from '@/base/errors'
import { formatId } from '@/base/ids'
import { command } from '@/db/statements'
import { write } from '@/db/write'
import type { Actor, Deps } from '@/deps'
import { record } from '@/domain/audit'
import type { Strategy } from '@/domain/routing'
import { findApp } from './find'

const update = command<{ id: number; strategy: string | null; now: number }>(
  'UPDATE apps SET strategy = $strategy, updated_at = $now WHERE id = $id',
)

/** How an app's jobs are routed, for models without a strategy of their own. Null: by priority. Throws 404. */
export async function setStrategy(
  deps: Deps,
  actor: Actor,
  slug: string,
  strategy: Strategy | null,
): Promise<void> {
  await write(deps.db, tx => {
    const app = findApp(tx, slug)
    if (!app) throw new AppError('not_found')
    update.run(tx, { id: app.id, strategy, now: tx.now })
    record(tx, actor, 'app.set_strategy', formatId('app', app.id), { slug, strategy })
    tx.after(() => deps.cache.clear())
  })
}

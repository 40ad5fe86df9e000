import { AppError } from '@/base/errors'
import { formatId } from '@/base/ids'
import { command } from '@/db/statements'
import { write } from '@/db/write'
import type { Actor, Deps } from '@/deps'
import { record } from '@/domain/audit'
import type { Strategy } from '@/domain/routing'
import { type CatalogModel, findEveryModel } from './every-model'
import { whole } from './whole'

/** What is absent stays as it is. */
export type ModelChange = {
  /** Null: the app's, else by priority. */
  strategy?: Strategy | null
  tokenCost?: number
  isEnabled?: boolean
}

const MAX_TOKEN_COST = 1_000_000

const update = command<{
  id: number
  strategy: string | null
  tokenCost: number
  isEnabled: number
  now: number
}>(
  `UPDATE models SET strategy = $strategy, token_cost = $tokenCost, is_enabled = $isEnabled,
     updated_at = $now WHERE id = $id`,
)

/**
 * An operator's change of what is sold. A price that was changed here is never a seed's again. Throws 400
 * naming the field, and 404.
 */
export async function setModel(
  deps: Deps,
  actor: Actor,
  name: string,
  change: ModelChange,
): Promise<CatalogModel> {
  if (change.tokenCost !== undefined) whole('token_cost', change.tokenCost, 0, MAX_TOKEN_COST)
  return await write(deps.db, tx => {
    const model = findEveryModel(tx, name)
    if (!model) throw new AppError('model_not_found')
    const { strategy = model.strategy, tokenCost = model.tokenCost } = change
    const isEnabled = Number(change.isEnabled ?? model.isEnabled === 1) as 0 | 1
    update.run(tx, { id: model.id, strategy, tokenCost, isEnabled, now: tx.now })
    record(tx, actor, 'model.change', formatId('model', model.id), { name, ...change })
    tx.after(() => deps.cache.clear())
    return { ...model, strategy, tokenCost, isEnabled }
  })
}

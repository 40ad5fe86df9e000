import type { ModelId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Strategy } from '@/domain/routing'

/** A model as its operator sees it: also one that is switched off. */
export type CatalogModel = {
  id: ModelId
  name: string
  displayName: string
  kind: string
  family: string
  tokenCost: number
  /** Null: the app's, else by priority. */
  strategy: Strategy | null
  isEnabled: 0 | 1
}

const COLUMNS = `id, name, display_name AS displayName, kind, family, token_cost AS tokenCost, strategy,
  is_enabled AS isEnabled`

const byName = query<{ name: string }, CatalogModel>(
  `SELECT ${COLUMNS} FROM models WHERE name = $name`,
)
const all = query<Record<string, never>, CatalogModel>(
  `SELECT ${COLUMNS} FROM models ORDER BY name`,
  { mayScan: 'the catalogue is small, and operators look at it' },
)

export function findEveryModel(from: Db | Tx, name: string): CatalogModel | null {
  return byName.get(from, { name })
}

export function listEveryModel(db: Db): CatalogModel[] {
  return all.all(db, {})
}

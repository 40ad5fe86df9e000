import { z } from 'zod'
import { type ModelId, parseId } from '@/base/ids'
import { query } from '@/db/statements'
import type { Deps } from '@/deps'

export type Model = {
  id: ModelId
  name: string
  displayName: string
  kind: string
  family: string
  description: string
  tokenCost: number
  maxInputImages: number
  supportsPrompt: boolean
  aspectRatios: string[]
  /** JSON Schema of the fields beyond the common ones. */
  inputSchema: Record<string, unknown>
  updatedAt: number
}

type Row = Omit<Model, 'supportsPrompt' | 'aspectRatios' | 'inputSchema'> & {
  supportsPrompt: 0 | 1
  aspectRatios: string
  inputSchema: string
}

const COLUMNS = `id, name, display_name AS displayName, kind, family, description, token_cost AS tokenCost,
  max_input_images AS maxInputImages, supports_prompt AS supportsPrompt, aspect_ratios AS aspectRatios,
  input_schema AS inputSchema, updated_at AS updatedAt`

const byName = query<{ name: string }, Row>(
  `SELECT ${COLUMNS} FROM models WHERE name = $name AND is_enabled = 1`,
)
const byId = query<{ id: number }, Row>(
  `SELECT ${COLUMNS} FROM models WHERE id = $id AND is_enabled = 1`,
)
const all = query<Record<string, never>, Row>(
  `SELECT ${COLUMNS} FROM models WHERE is_enabled = 1 ORDER BY name`,
  { mayScan: 'the catalogue is small, and the answer is cached' },
)

const AspectRatios = z.array(z.string())
const JsonObject = z.record(z.string(), z.unknown())

/** An enabled model by its name or its public id. */
export function findModel(deps: Pick<Deps, 'db' | 'cache'>, nameOrId: string): Model | null {
  return deps.cache.get(`model:${nameOrId}`, () => {
    const id = parseId('model', nameOrId)
    return toModel(id ? byId.get(deps.db, { id }) : byName.get(deps.db, { name: nameOrId }))
  })
}

export function listModels(deps: Pick<Deps, 'db' | 'cache'>): Model[] {
  return deps.cache.get('models', () => all.all(deps.db, {}).map(read))
}

function toModel(row: Row | null): Model | null {
  return row ? read(row) : null
}

function read(row: Row): Model {
  return {
    ...row,
    supportsPrompt: row.supportsPrompt === 1,
    aspectRatios: AspectRatios.parse(JSON.parse(row.aspectRatios)),
    inputSchema: JsonObject.parse(JSON.parse(row.inputSchema)),
  }
}

import { command, query } from '@/db/statements'
import type { Tx } from '@/db/write'
import { hashOf, mayFollow, type Seeded, SMALL } from './follow'
import type { SeedModel } from './types'

type ModelColumns = {
  display_name: string
  kind: string
  family: string
  description: string
  token_cost: number
  max_input_images: number
  supports_prompt: number
  aspect_ratios: string
  input_schema: string
}

const everyRow = query<Record<string, never>, Seeded<ModelColumns> & { name: string }>(
  `SELECT id, name, seed_hash, display_name, kind, family, description, token_cost, max_input_images,
     supports_prompt, aspect_ratios, input_schema FROM models`,
  SMALL,
)
const insert = command<ModelColumns & { id: number; name: string; seedHash: string; now: number }>(
  `INSERT INTO models (id, name, display_name, kind, family, description, token_cost, max_input_images,
     supports_prompt, aspect_ratios, input_schema, is_enabled, seed_hash, created_at, updated_at)
   VALUES ($id, $name, $display_name, $kind, $family, $description, $token_cost, $max_input_images,
     $supports_prompt, $aspect_ratios, $input_schema, 1, $seedHash, $now, $now)`,
)
const update = command<ModelColumns & { id: number; seedHash: string; now: number }>(
  `UPDATE models SET display_name = $display_name, kind = $kind, family = $family,
     description = $description, token_cost = $token_cost, max_input_images = $max_input_images,
     supports_prompt = $supports_prompt, aspect_ratios = $aspect_ratios, input_schema = $input_schema,
     seed_hash = $seedHash, updated_at = $now WHERE id = $id`,
)

/** The ids of these models by name. */
export function seedModels(tx: Tx, models: readonly SeedModel[]): ReadonlyMap<string, number> {
  const known = new Map(everyRow.all(tx, {}).map(row => [row.name, row]))
  const ids = new Map<string, number>()
  for (const model of models) {
    const { name } = model
    const columns = columnsOf(model)
    const newHash = hashOf(columns)
    const row = known.get(name)
    if (!row) {
      const id = tx.id()
      ids.set(name, id)
      insert.run(tx, { id, name, ...columns, seedHash: newHash, now: tx.now })
      continue
    }
    const { id, seed_hash, name: _, ...present } = row
    ids.set(name, id)
    if (mayFollow(present, seed_hash, newHash)) {
      update.run(tx, { id, ...columns, seedHash: newHash, now: tx.now })
    }
  }
  return ids
}

function columnsOf(model: SeedModel): ModelColumns {
  return {
    display_name: model.displayName,
    kind: model.kind,
    family: model.family,
    description: model.description,
    token_cost: model.tokenCost,
    max_input_images: model.maxInputImages,
    supports_prompt: Number(model.supportsPrompt),
    aspect_ratios: JSON.stringify(model.aspectRatios),
    input_schema: JSON.stringify({
      type: 'object',
      properties: model.fields,
      additionalProperties: false,
    }),
  }
}

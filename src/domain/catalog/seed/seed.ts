import { sha256Hex } from '@/base/secrets'
import type { Db } from '@/db/open'
import { command, query } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import { MODELS, PROVIDERS, type SeedModel } from './models'

/** What a seed may change: the columns it wrote, as one text. An operator's change makes the two differ. */
type Columns = Record<string, string | number>

const findModel = query<{ name: string }, Columns & { id: number; seed_hash: string | null }>(
  `SELECT id, seed_hash, display_name, kind, family, description, token_cost, max_input_images,
     supports_prompt, aspect_ratios, input_schema FROM models WHERE name = $name`,
)
type ModelParams = {
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
const insertModel = command<
  ModelParams & { id: number; name: string; seedHash: string; now: number }
>(
  `INSERT INTO models (id, name, display_name, kind, family, description, token_cost, max_input_images,
     supports_prompt, aspect_ratios, input_schema, is_enabled, seed_hash, created_at, updated_at)
   VALUES ($id, $name, $display_name, $kind, $family, $description, $token_cost, $max_input_images,
     $supports_prompt, $aspect_ratios, $input_schema, 1, $seedHash, $now, $now)`,
)
const updateModel = command<ModelParams & { id: number; seedHash: string; now: number }>(
  `UPDATE models SET display_name = $display_name, kind = $kind, family = $family,
     description = $description, token_cost = $token_cost, max_input_images = $max_input_images,
     supports_prompt = $supports_prompt, aspect_ratios = $aspect_ratios, input_schema = $input_schema,
     seed_hash = $seedHash, updated_at = $now WHERE id = $id`,
)
const insertProvider = command<{ id: number; name: string; displayName: string; now: number }>(
  `INSERT INTO providers (id, name, display_name, is_enabled, created_at, updated_at)
   VALUES ($id, $name, $displayName, 1, $now, $now) ON CONFLICT (name) DO NOTHING`,
)

/** Brings the shipped catalogue in, as often as it is run: new rows come, untouched ones follow, changed ones stay. */
export async function seed(db: Db, models: readonly SeedModel[] = MODELS): Promise<void> {
  await write(db, tx => {
    for (const provider of PROVIDERS)
      insertProvider.run(tx, { id: tx.id(), ...provider, now: tx.now })
    for (const model of models) seedModel(tx, model)
  })
}

function seedModel(tx: Tx, model: SeedModel) {
  const columns = columnsOf(model)
  const seedHash = hashOf(columns)
  const known = findModel.get(tx, { name: model.name })
  if (!known) {
    insertModel.run(tx, { id: tx.id(), name: model.name, ...columns, seedHash, now: tx.now })
    return
  }
  const { id, seed_hash: previous, ...present } = known
  const isUntouched = hashOf(present) === previous
  if (isUntouched && previous !== seedHash)
    updateModel.run(tx, { id, ...columns, seedHash, now: tx.now })
}

function columnsOf(model: SeedModel): ModelParams {
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

function hashOf(columns: Columns): string {
  return sha256Hex(JSON.stringify(Object.entries(columns).sort(([a], [b]) => (a < b ? -1 : 1))))
}

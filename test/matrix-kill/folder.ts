import { cpSync } from 'node:fs'
import { temporaryFolder } from '@test/support/test-db'
import { testApp, testHub } from '@test/support/test-hub'
import { write } from '@/db/write'
import type { Deps } from '@/deps'
import { OFFERS, type Offer } from './offers'

/** What a new user has, in tokens. */
export const GRANT = 100
/** Of one output. */
export const TOKENS = 3
/** Of one output, at a vendor that tells no price of its own. */
export const MICRO_USD = 1_000
/** Of every route: how long its vendor may take. */
export const DEADLINE_SECONDS = 60

/** Limits are not what is tested, and whoever waits for a job asks often. */
const NO_RATE = 1_000_000

export type Prepared = {
  apiKey: string
  /** A folder of its own with the app, every offer as a model, and that model's one route. */
  copy(): string
}

/** Made once and copied: a folder in which everything is for sale at one place each. */
export async function prepareFolder(): Promise<Prepared> {
  const folder = temporaryFolder()
  const hub = await testHub({ folder, isRunning: false })
  try {
    const rates = { rateLimitPerUser: NO_RATE, rateLimitPerApp: NO_RATE }
    const app = await testApp(hub.deps, { welcomeGrant: GRANT, ...rates })
    for (const offer of OFFERS) await sell(hub.deps, offer)
    return {
      apiKey: app.apiKey,
      copy() {
        const own = temporaryFolder()
        cpSync(folder, own, { recursive: true })
        return own
      },
    }
  } finally {
    await hub.close()
  }
}

/** Under a name that no model of the catalogue has. */
export const modelOf = (offer: Offer) => `kill ${offer.name}`.replace(/[^a-z]+/g, '-')

async function sell(deps: Deps, offer: Offer): Promise<void> {
  const terms = { deadline_seconds: DEADLINE_SECONDS, cost: { per_output: MICRO_USD } }
  const config = JSON.stringify({ ...offer.config, ...terms })
  await write(deps.db, tx => {
    const { sqlite } = tx.db
    sqlite.run(
      `INSERT INTO providers (id, name, display_name, is_enabled, api_key_env_var, created_at, updated_at)
       VALUES (?1, ?2, ?2, 1, ?3, ?4, ?4)
       ON CONFLICT (name) DO UPDATE SET is_enabled = 1, api_key_env_var = excluded.api_key_env_var`,
      [tx.id(), offer.provider, offer.variable, tx.now],
    )
    const modelId = tx.id()
    sqlite.run(
      `INSERT INTO models (id, name, display_name, kind, family, description, token_cost, max_input_images,
         supports_prompt, aspect_ratios, input_schema, is_enabled, created_at, updated_at)
       VALUES (?1, ?2, ?2, ?3, 'kill', '', ?4, 0, 1, '["16:9"]', '{"type":"object","properties":{}}', 1, ?5, ?5)`,
      [modelId, modelOf(offer), offer.kind, TOKENS, tx.now],
    )
    sqlite.run(
      `INSERT INTO model_routes (id, model_id, provider_id, provider_model, priority, config, is_enabled,
         created_at, updated_at)
       SELECT ?1, ?2, id, ?3, 1, ?4, 1, ?5, ?5 FROM providers WHERE name = ?6`,
      [tx.id(), modelId, offer.providerModel, config, tx.now, offer.provider],
    )
  })
}

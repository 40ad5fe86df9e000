import type { Db } from '@/db/open'
import { write } from '@/db/write'
import { MODELS } from './models'
import { seedModels } from './seed-models'
import { seedProviders } from './seed-providers'
import { seedRoutes } from './seed-routes'
import type { SeedModel, SeedProvider } from './types'

/**
 * Brings the shipped catalogue in, as often as it is run: new rows come, untouched ones follow, changed ones
 * stay. `seed_hash` is of what a seed last wrote into the row, so a row whose columns have another hash was
 * changed by an operator. What is switched on or off is never the seed's to decide, but for a route that a
 * model of it no longer has. A model that left the seed stays as it is, so one that nobody serves any more is
 * kept in it, without routes.
 */
export async function seed(
  db: Db,
  vendors: readonly SeedProvider[],
  models: readonly SeedModel[] = MODELS,
): Promise<void> {
  await write(db, tx => {
    const providerIds = seedProviders(tx, [SANDBOX, ...vendors])
    const modelIds = seedModels(tx, models)
    seedRoutes(tx, models, { vendors, providerIds, modelIds })
  })
}

const SANDBOX: SeedProvider = { name: 'sandbox', displayName: 'Sandbox', apiKeyEnvVar: null }

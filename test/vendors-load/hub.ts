import { join } from 'node:path'
import { type RunningHub, startHub } from '@test/support/process'
import { temporaryFolder } from '@test/support/test-db'
import { testApp, testHub } from '@test/support/test-hub'
import { write } from '@/db/write'
import type { Deps } from '@/deps'
import { KEY_VARIABLES } from '@/providers/vendors'
import type { LoadServerMessage, LoadServerOptions } from './server'

export type Route = {
  provider: keyof LoadServerOptions['baseUrls']
  providerModel: string
  /** How many may run there at once. */
  maxConcurrent?: number
}
/** What is for sale, each by its routes in the order of their priority. */
export type Offers = { [model: string]: Route[] }

/** Where each of the three vendors is; one that a proof does not need may stand for another. */
export type Vendors = {
  [name in Route['provider']]: { baseUrl: string; host: string }
}

export type LoadHub = RunningHub & {
  apiKey: string
  /** The hub's own time. */
  now(): number
  /** Sets its clock forward, and resolves when it is. */
  skip(ms: number): Promise<void>
}

export const USERS = Array.from({ length: 20 }, (_, index) => `user-${index}`)

/** Limits and money are not what is tested. */
const NO_RATE = 1_000_000
const GRANT = 1_000_000

/** A hub in a process of its own, on a new folder in which these are the only live offers. */
export async function startLoadHub(
  vendors: Vendors,
  offers: Offers,
  /** Further hosts that it may call, as webhooks. */
  hosts: string[] = [],
): Promise<LoadHub> {
  const folder = temporaryFolder()
  const apiKey = await prepare(folder, offers)
  const { openai, replicate, gemini } = vendors
  const given: LoadServerOptions = {
    baseUrls: {
      openai: openai.baseUrl,
      replicate: replicate.baseUrl,
      gemini: gemini.baseUrl,
    },
  }
  let laterMs = 0
  let isLater = Promise.withResolvers<void>()
  const hub = await startHub({
    folder,
    command: [process.execPath, join(import.meta.dir, 'server.ts')],
    env: {
      LOAD_SERVER: JSON.stringify(given),
      ALLOW_PRIVATE_DESTINATIONS: [
        ...Object.values(vendors).map(({ host }) => host),
        ...hosts,
      ].join(),
      ...Object.fromEntries(Object.keys(KEY_VARIABLES).map(name => [name, 'key-on-loopback'])),
    },
    onMessage: () => isLater.resolve(),
  })
  return {
    ...hub,
    apiKey,
    now: () => Date.now() + laterMs,
    async skip(ms) {
      laterMs += ms
      isLater = Promise.withResolvers()
      hub.send({ laterMs } satisfies LoadServerMessage)
      await isLater.promise
    },
  }
}

async function prepare(folder: string, offers: Offers): Promise<string> {
  const hub = await testHub({ folder, isRunning: false })
  try {
    const rates = { rateLimitPerUser: NO_RATE, rateLimitPerApp: NO_RATE }
    const app = await testApp(hub.deps, { welcomeGrant: GRANT, ...rates })
    for (const [model, routes] of Object.entries(offers)) await sell(hub.deps, model, routes)
    return app.apiKey
  } finally {
    await hub.close()
  }
}

async function sell(deps: Deps, model: string, routes: Route[]): Promise<void> {
  await write(deps.db, tx => {
    const { sqlite } = tx.db
    const modelId = tx.id()
    sqlite.run(
      `INSERT INTO models (id, name, display_name, kind, family, description, token_cost, max_input_images,
         supports_prompt, aspect_ratios, input_schema, is_enabled, created_at, updated_at)
       VALUES (?1, ?2, ?2, 'image', 'load', '', 1, 0, 1, '[]', '{"type":"object","properties":{}}', 1, ?3, ?3)`,
      [modelId, model, tx.now],
    )
    for (const [index, { provider, providerModel, maxConcurrent }] of routes.entries()) {
      sqlite.run(
        `INSERT INTO model_routes (id, model_id, provider_id, provider_model, priority, config, max_concurrent,
           is_enabled, created_at, updated_at)
         SELECT ?1, ?2, id, ?3, ?4, '{}', ?5, 1, ?6, ?6 FROM providers WHERE name = ?7`,
        [tx.id(), modelId, providerModel, index + 1, maxConcurrent ?? null, tx.now, provider],
      )
    }
  })
}

import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Config, readConfig } from '@/base/config'
import { watchForeignCommits } from '@/db/foreign-commits'
import { write } from '@/db/write'
import type { Deps, Mode, Realm } from '@/deps'
import * as apps from '@/domain/apps'
import * as ledger from '@/domain/ledger'
import { type Hub, type OpenHubOptions, openHub } from '@/hub'
import type { Provider } from '@/providers/spec'
import { createRunner, type Runner, type RunnerOptions } from '@/queue/runner'
import { taskKinds } from '@/workers/kinds'
import { type FakeClock, fakeClock } from './fake-clock'
import { type TestLog, temporaryFolder, testLog } from './test-db'

export type TestHub = {
  hub: Hub
  deps: Deps
  log: TestLog
  runner: Runner
  /** Stops the runner and closes the files. */
  close(): Promise<void>
}

export type TestHubOptions = {
  folder?: string
  clock?: FakeClock
  providers?: Provider[]
  sandbox?: OpenHubOptions['sandbox']
  config?: Partial<Config>
  bounds?: RunnerOptions['bounds']
  /** Replaces the network: outgoing calls of webhooks, outputs and providers. */
  fetch?: Deps['fetch']
  /** False: nothing is claimed until `runner.start()` is called. */
  isRunning?: boolean
}

/**
 * A whole hub on a folder of its own: a real database and real files, no HTTP. Those of one process have one
 * key, unless `config.secretKey` says otherwise.
 */
export async function testHub(options: TestHubOptions = {}): Promise<TestHub> {
  const log = testLog()
  const folder = options.folder ?? (await freshFolder(options))
  const config: Config = { ...readConfig({ DATA_DIR: folder }), ...options.config }
  const hub = await openHub({
    config,
    log,
    exclusive: 'test',
    lockWaitMs: 0,
    onFatal: error => {
      throw error
    },
    ...(options.clock ? { clock: options.clock } : {}),
    ...(options.providers ? { providers: options.providers } : {}),
    ...(options.sandbox ? { sandbox: options.sandbox } : {}),
  })
  const deps: Deps = options.fetch ? { ...hub.deps, fetch: options.fetch } : hub.deps
  const runner = createRunner({
    db: deps.db,
    log,
    lanes: deps.lanes,
    foreign: watchForeignCommits(deps.db),
    bootId: await write(deps.db, tx => tx.id()),
    kinds: taskKinds(deps),
    ...(options.bounds ? { bounds: options.bounds } : {}),
  })
  if (options.isRunning !== false) await runner.start()
  return {
    hub,
    deps,
    log,
    runner,
    async close() {
      await runner.stop(1_000)
      await hub.close()
    },
  }
}

/** As the first start leaves it. Made once and copied: migrations and the catalogue take longer than a test. */
async function freshFolder(options: TestHubOptions): Promise<string> {
  const folder = temporaryFolder()
  // A database belongs to its key.
  if (options.config?.secretKey) return folder
  template ??= await makeTemplate()
  for (const name of ['hub.db', 'secret.key']) {
    copyFileSync(join(template, name), join(folder, name))
  }
  return folder
}

let template: string | null = null

async function makeTemplate(): Promise<string> {
  const folder = temporaryFolder()
  const hub = await openHub({
    config: readConfig({ DATA_DIR: folder }),
    log: testLog(),
    exclusive: 'test',
    // Before every clock of a test: time never goes back.
    clock: fakeClock(LONG_AGO),
    onFatal: error => {
      throw error
    },
  })
  await hub.close()
  return folder
}

const LONG_AGO = Date.UTC(2025, 0, 2)

export type TestApp = apps.CreatedApp & { realms: Record<Mode, Realm> }

let counter = 0

/** An app of its own with both realms. */
export async function testApp(deps: Deps, input: Partial<apps.NewApp> = {}): Promise<TestApp> {
  const slug = input.slug ?? `app-${++counter}`
  const created = await apps.createApp(
    deps,
    { kind: 'shell', id: 'test' },
    { name: slug, slug, ...input },
  )
  return { ...created, realms: apps.realmsOf(deps.db, created.app.id) }
}

/** Makes a registered provider serve a model for live keys. */
export async function addRoute(
  deps: Deps,
  route: { model: string; provider: string; priority?: number },
): Promise<void> {
  await write(deps.db, tx => {
    tx.db.sqlite.run(
      `INSERT INTO providers (id, name, display_name, is_enabled, created_at, updated_at)
       VALUES (?1, ?2, ?2, 1, ?3, ?3) ON CONFLICT (name) DO NOTHING`,
      [tx.id(), route.provider, tx.now],
    )
    tx.db.sqlite.run(
      `INSERT INTO model_routes (id, model_id, provider_id, provider_model, priority, config, is_enabled,
         created_at, updated_at)
       SELECT ?1, m.id, p.id, m.name, ?4, '{}', 1, ?5, ?5 FROM models m, providers p
       WHERE m.name = ?2 AND p.name = ?3`,
      [tx.id(), route.model, route.provider, route.priority ?? 1, tx.now],
    )
  })
}

/** The one check every money test ends with. */
export function expectLedgerInOrder(deps: Pick<Deps, 'db'>): void {
  const differences = ledger.verify(deps.db)
  if (differences.length > 0) {
    throw new Error(`the ledger does not add up: ${JSON.stringify(differences.slice(0, 5))}`)
  }
}

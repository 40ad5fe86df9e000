import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCache } from './base/cache'
import { type Clock, isoSeconds, systemClock } from './base/clock'
import type { Config } from './base/config'
import type { Log } from './base/log'
import { createSafeFetch } from './base/safe-fetch'
import { createSecrets } from './base/secrets'
import { takeLock } from './db/lock'
import { type MigrationResult, migrate, versionProblem } from './db/migrate'
import { openDb } from './db/open'
import type { Deps } from './deps'
import { seed } from './domain/catalog'
import { loadSecretKey, proveSecretKey } from './domain/settings'
import { createRegistry } from './providers/registry'
import { createSandbox } from './providers/sandbox/sandbox'
import type { Provider } from './providers/spec'
import { VENDORS } from './providers/vendors'
import { createLanes } from './queue/lanes'
import { diskStorage } from './storage/disk/disk'
import { createThreads } from './threads/pool'

/** An opened data folder and everything that works on it. */
export type Hub = {
  deps: Deps
  migration: MigrationResult
  /** True when this start made the key: the operator is told once to keep it. */
  isNewKey: boolean
  close(): Promise<void>
}

export type OpenHubOptions = {
  config: Config
  log: Log
  /** The command, when it must be alone in the folder: it takes the lock and migrates. */
  exclusive: string | null
  onFatal: (error: unknown) => void
  ownUrl?: () => string
  clock?: Clock
  /** Beside the built-in ones, or instead of those of the same name. */
  providers?: Provider[]
  sandbox?: { startIsRepeatable?: boolean; onStart?: (reference: string) => void }
  lockWaitMs?: number
}

/** A shell command writes beside a running server and can afford to wait for it. */
const SHELL_BUSY_TIMEOUT_MS = 5_000

/** Opens DATA_DIR. Throws FolderInUse, MigrationError or SecretKeyError, each a sentence for the operator. */
export async function openHub(options: OpenHubOptions): Promise<Hub> {
  const { config, log } = options
  const clock = options.clock ?? systemClock()
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  const lock = options.exclusive
    ? await takeLock(config.dataDir, options.exclusive, {
        isoNow: () => isoSeconds(clock.wall()),
        ...(options.lockWaitMs === undefined ? {} : { waitMs: options.lockWaitMs }),
      })
    : null
  try {
    const path = join(config.dataDir, 'hub.db')
    const isNew = !existsSync(path)
    if (isNew && !lock) throw new NoDatabase(config.dataDir)
    const { key, isNew: isNewKey } = loadSecretKey(config, isNew)
    const db = openDb({
      path,
      clock,
      log,
      busyTimeoutMs: lock ? 0 : SHELL_BUSY_TIMEOUT_MS,
      onFatal: options.onFatal,
    })
    // The folder is closed to others already; a copied file should be too.
    if (isNew) chmodSync(path, 0o600)
    const migration = lock ? migrate(db) : checkVersion(versionProblem(db))
    const secrets = createSecrets(key, config.previousSecretKeys)
    proveSecretKey(db, secrets)
    if (lock) await seed(db, VENDORS)

    const threads = createThreads({})
    const cache = createCache()
    db.bus.subscribe('foreign.commit', () => cache.clear())
    const deps: Deps = {
      config,
      db,
      clock,
      log,
      secrets,
      cache,
      fetch: createSafeFetch({ allowPrivate: config.allowPrivateDestinations }),
      providers: createRegistry(
        orReplaced(
          [
            createSandbox({
              draw: (request, signal) => threads.run('draw', request, signal),
              delay: (ms, signal) => sleep(ms, undefined, { signal }),
              ...options.sandbox,
            }),
            ...VENDORS.map(({ create }) => create()),
          ],
          options.providers ?? [],
        ),
      ),
      storage: diskStorage(join(config.dataDir, 'files'), { isAlone: lock !== null }),
      lanes: createLanes(),
      ownUrl: options.ownUrl ?? (() => config.publicUrl ?? `http://localhost:${config.port}`),
    }
    return {
      deps,
      migration,
      isNewKey,
      async close() {
        await db.writer.drained()
        await threads.close()
        db.close()
        lock?.release()
      },
    }
  } catch (error) {
    lock?.release()
    throw error
  }
}

function orReplaced(builtIn: Provider[], given: Provider[]): Provider[] {
  const names = new Set(given.map(({ name }) => name))
  return [...builtIn.filter(({ name }) => !names.has(name)), ...given]
}

/** A command that needs a database met an empty folder. */
export class NoDatabase extends Error {
  override readonly name = 'NoDatabase'
  constructor(dataDir: string) {
    super(`there is no database in ${dataDir}; start the server once, or run \`hub migrate\``)
  }
}

function checkVersion(problem: string | null): MigrationResult {
  if (problem) throw new Error(problem)
  return { applied: [], copy: null }
}

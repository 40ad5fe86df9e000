import type { Server } from 'bun'
import { createApp } from './app'
import type { Config } from './base/config'
import type { Log } from './base/log'
import { watchForeignCommits } from './db/foreign-commits'
import { write } from './db/write'
import type { Deps } from './deps'
import { flushLastUsed } from './domain/apps'
import { createRateLimits } from './http/rate-limits'
import { type Hub, type OpenHubOptions, openHub } from './hub'
import { createRunner, type Runner } from './queue/runner'
import { VERSION } from './version'
import { taskKinds } from './workers/kinds'
import { startSchedule } from './workers/schedule'

/** A server that answers. `stop` drains it; the folder is free afterwards. */
export type Serving = {
  hub: Hub
  deps: Deps
  runner: Runner
  /** Where it listens, as a loopback address when it listens everywhere. */
  url: string
  stop(): Promise<void>
}

export type ServeOptions = {
  config: Config
  log: Log
  onFatal: (error: unknown) => void
  command?: string
  hub?: Pick<OpenHubOptions, 'providers' | 'sandbox' | 'lockWaitMs'>
}

/** Vendors answer slowly, phones too; an idle connection is closed after this many seconds. */
const IDLE_SECONDS = 60
/** From SIGTERM: what runs may finish, the rest is given back uncounted. */
const GRACE_MS = 15_000

export async function startServer(options: ServeOptions): Promise<Serving> {
  const { config, log } = options
  let server: Server<undefined> | null = null
  const ownUrl = () => config.publicUrl ?? `http://localhost:${server?.port ?? config.port}`
  const hub = await openHub({
    config,
    log,
    exclusive: options.command ?? 'serve',
    onFatal: options.onFatal,
    ownUrl,
    ...options.hub,
  })
  const { deps } = hub
  const foreign = watchForeignCommits(deps.db)
  const runner = createRunner({
    db: deps.db,
    log,
    lanes: deps.lanes,
    foreign,
    bootId: await write(deps.db, tx => tx.id()),
    kinds: taskKinds(deps),
  })
  let isStopping = false
  const app = createApp(
    { deps, limits: createRateLimits(deps), foreign, isStopping: () => isStopping },
    {
      version: VERSION,
      runner: () => (isStopping ? 'stopping' : 'ok'),
      storage: () => storageState(deps),
    },
  )
  try {
    server = Bun.serve({
      port: config.port,
      hostname: config.host,
      idleTimeout: IDLE_SECONDS,
      fetch: request => app.fetch(request),
    })
  } catch (error) {
    await hub.close()
    throw error
  }
  app.server = server as never
  await runner.start()
  const stopSchedule = startSchedule(deps)

  const stop = async () => {
    if (isStopping) return
    isStopping = true
    stopSchedule()
    const drained = server?.stop()
    await runner.stop(GRACE_MS)
    await drained
    await flushLastUsed(deps)
    await deps.db.writer.drained()
    deps.db.sqlite.run('PRAGMA wal_checkpoint(TRUNCATE)')
    await hub.close()
  }
  const shownHost = config.host === '0.0.0.0' || config.host === '::' ? '127.0.0.1' : config.host
  return { hub, deps, runner, url: `http://${shownHost}:${server.port}`, stop }
}

/** A health check may come every second: the store is tried at most this often. */
const STORAGE_CHECK_MS = 10_000
const lastCheck = new WeakMap<Deps, { at: number; state: 'ok' | 'failing' }>()

async function storageState(deps: Deps): Promise<'ok' | 'failing'> {
  const known = lastCheck.get(deps)
  if (known && deps.clock.now() - known.at < STORAGE_CHECK_MS) return known.state
  const state = await deps.storage.check().then(
    () => 'ok' as const,
    error => {
      deps.log.error('the file store cannot be written to', { error })
      return 'failing' as const
    },
  )
  lastCheck.set(deps, { at: deps.clock.now(), state })
  return state
}

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Server } from 'bun'
import { createApp } from './app'
import { type Config, ConfigError, VARIABLES } from './base/config'
import type { Log } from './base/log'
import { reachableHost } from './base/reachable-host'
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
  graceMs?: number
}

/** Vendors answer slowly, phones too; an idle connection is closed after this many seconds. */
const IDLE_SECONDS = 60
/** From SIGTERM: what runs may finish, the rest is given back uncounted. */
const GRACE_MS = 15_000

export async function startServer(options: ServeOptions): Promise<Serving> {
  const { config, log, graceMs = GRACE_MS } = options
  // A first start that cannot listen leaves no folder behind, and no key that nobody was told to keep.
  if (!existsSync(join(config.dataDir, 'hub.db'))) await tryToListen(config)
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
    server = listen(config, request => app.fetch(request))
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
    // A caller who never finishes the call that he began must not keep us from ending.
    const giveUp = setTimeout(() => void server?.stop(true), graceMs)
    await runner.stop(graceMs)
    await drained
    clearTimeout(giveUp)
    await flushLastUsed(deps)
    await deps.db.writer.drained()
    deps.db.sqlite.run('PRAGMA wal_checkpoint(TRUNCATE)')
    await hub.close()
  }
  const url = `http://${reachableHost(config.host)}:${server.port}`
  return { hub, deps, runner, url, stop }
}

/** The configured place is taken or is not there. The message names the variable to change. */
export class CannotListen extends Error {
  override readonly name = 'CannotListen'
}

function listen(
  config: Config,
  answer: (request: Request) => Response | Promise<Response>,
): Server<undefined> {
  const { port, host } = config
  try {
    return Bun.serve({ port, hostname: host, idleTimeout: IDLE_SECONDS, fetch: answer })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    if (code === 'EADDRINUSE') {
      throw new CannotListen(`port ${port} is in use; stop what uses it, or set PORT`)
    }
    if (code === 'EACCES') {
      throw new CannotListen(`port ${port} is not open to this user; set PORT to 1024 or more`)
    }
    // A name that does not resolve (said in several ways) and an address of another machine.
    if (['ENOENT', 'EINVAL', 'ENOTFOUND', 'EADDRNOTAVAIL'].includes(String(code))) {
      throw new ConfigError(`HOST must be ${VARIABLES.HOST}, and one of this machine`)
    }
    throw error
  }
}

async function tryToListen(config: Config): Promise<void> {
  await listen(config, () => new Response(null, { status: 503 })).stop(true)
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

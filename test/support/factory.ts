import { createApp } from '@/app'
import { type ForeignCommits, watchForeignCommits } from '@/db/foreign-commits'
import type { Deps, Mode } from '@/deps'
import * as apps from '@/domain/apps'
import type { KeyKind } from '@/domain/apps/key-text'
import { createRateLimits } from '@/http/rate-limits'
import { type TestApp, testApp } from './test-hub'

/** An app with every kind of key that there is. */
export type Tenant = TestApp & { keys: Record<Mode, Record<KeyKind, string>> }

/** Limits that no test meets by accident; those about limits set their own. */
const ROOMY = { rateLimitPerUser: 1_000_000, rateLimitPerApp: 1_000_000 }

export async function tenant(deps: Deps, input: Partial<apps.NewApp> = {}): Promise<Tenant> {
  const made = await testApp(deps, { ...ROOMY, ...input })
  const publishable = async (mode: Mode) => {
    const { slug } = made.app
    return (await apps.createKey(deps, SHELL, { slug, mode, kind: 'publishable' })).text
  }
  return {
    ...made,
    keys: {
      live: { secret: made.apiKey, publishable: await publishable('live') },
      test: { secret: made.testApiKey, publishable: await publishable('test') },
    },
  }
}

export const SHELL = { kind: 'shell', id: 'test' } as const

export type DoorOptions = {
  isStopping?: () => boolean
  runner?: () => 'ok' | 'stopping' | 'stopped'
  storage?: () => Promise<'ok' | 'failing'>
  /** Replaces the first thing that every call does: one that throws is a bug of ours. */
  foreign?: ForeignCommits
}

/** The HTTP doors of a hub without a socket, for `handle`. */
export function httpDoor(deps: Deps, options: DoorOptions = {}) {
  const isStopping = options.isStopping ?? (() => false)
  const foreign = options.foreign ?? watchForeignCommits(deps.db)
  return createApp(
    { deps, limits: createRateLimits(deps), foreign, isStopping },
    {
      version: 'test',
      runner: options.runner ?? (() => 'ok'),
      storage: options.storage ?? (async () => 'ok'),
    },
  )
}

/** A door on a free loopback port, for what only a socket shows, over a hub of the test's own making. */
export function listen(app: { fetch(request: Request): Response | Promise<Response> }) {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: request => app.fetch(request) })
  return { url: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) }
}

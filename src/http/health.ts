import { Elysia } from 'elysia'
import type { Deps } from '@/deps'
import { healthOf } from '@/domain/providers'
import { guarded, type HttpDeps } from './guard'
import { operation } from './operation'
import { HealthBody } from './schemas'

const described = {
  method: 'GET',
  summary: 'Whether the service can take jobs',
  tag: 'Service',
  access: 'public',
  answers: {
    200: { description: 'It can.', schema: HealthBody },
    503: { description: 'It cannot.', schema: HealthBody },
  },
} as const

export const GET_HEALTH = operation({ ...described, path: '/api/health', id: 'getHealth' })
export const GET_SHORT_HEALTH = operation({ ...described, path: '/health', id: 'getShortHealth' })

/** What the door is told of the parts behind it. */
export type Health = {
  version: string
  runner(): 'ok' | 'stopping' | 'stopped'
  storage(): Promise<'ok' | 'failing'>
}

export const healthRoutes = (http: HttpDeps, health: Health) => {
  const answer = () => check(http.deps, health)
  return new Elysia({ name: 'health' })
    .get(GET_HEALTH.path, guarded(http, GET_HEALTH, answer), { detail: { hide: true } })
    .get(GET_SHORT_HEALTH.path, guarded(http, GET_SHORT_HEALTH, answer), { detail: { hide: true } })
}

async function check(deps: Deps, health: Health) {
  const database = databaseState(deps)
  const runner = health.runner()
  const storage = await health.storage()
  const providers = providerStates(deps)
  const canTakeJobs = database === 'ok' && runner === 'ok' && storage === 'ok'
  // A vendor in trouble is no reason to restart us: others may serve, and what is theirs will come back.
  const isImpaired = Object.values(providers).some(state => IMPAIRED.has(state))
  const fit = isImpaired ? 'degraded' : 'healthy'
  return {
    status: canTakeJobs ? 200 : 503,
    body: {
      status: canTakeJobs ? fit : 'unhealthy',
      version: health.version,
      checks: { database, storage, runner, providers },
    },
  }
}

const IMPAIRED = new Set(['down', 'degraded'])

/** Words only: what a vendor said is for the operator. Nothing is known of them without a database. */
function providerStates(deps: Deps): Record<string, string> {
  try {
    return healthOf(deps)
  } catch {
    return {}
  }
}

function databaseState(deps: Deps): 'ok' | 'full' | 'failing' {
  if (deps.db.writer.stats().isDiskFull) return 'full'
  try {
    deps.db.sqlite.query('SELECT 1 FROM hub').get()
    return 'ok'
  } catch {
    return 'failing'
  }
}

import { currentCheck, expectDocumented } from '@test/support/openapi-check'
import { jsonOf, until } from '@test/support/process'

/** The API of a running hub, called as an app's server would. */
export type Api = {
  generate(body: Generate, init?: CallInit): Promise<Answer<Job>>
  job(id: string, init?: CallInit): Promise<Answer<Job>>
  user(externalId: string): Promise<Answer<{ token_balance: number; tokens_reserved: number }>>
  /** Every job of the key's realm. */
  jobs(query?: string): Promise<Job[]>
  call<T>(method: string, path: string, body?: unknown, init?: CallInit): Promise<Answer<T>>
}

export type CallInit = { user?: string; signal?: AbortSignal; key?: string }
export type Answer<T> = { status: number; headers: Headers; body: T & { code?: string } }
export type Job = {
  job_id: string
  status: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'
  error_code: string | null
  outputs: { url: string }[]
  tokens_charged: number
  tokens_refunded: number
  user_balance?: number
}
export type Generate = {
  model?: string
  input?: Record<string, unknown>
  idempotency_key?: string
  webhook_url?: string
}

/** Costs one token an output. */
export const MODEL = 'flux-schnell'

export function apiOf(url: string, key: string, user = 'somebody'): Api {
  const api: Api = {
    async call(method, path, body, init = {}) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          'x-api-key': init.key ?? key,
          ...(init.user === '' ? {} : { 'x-user-id': init.user ?? user }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(init.signal ? { signal: init.signal } : {}),
      })
      const { status, headers } = response
      const bytes = await response.bytes()
      if (path.startsWith('/api/')) {
        expectDocumented(currentCheck(), { method, path, status, headers, body: bytes })
      }
      return { status, headers, body: JSON.parse(new TextDecoder().decode(bytes)) as never }
    },
    generate: (body, init) =>
      api.call('POST', '/api/v1/generate', { model: MODEL, input: { prompt: 'x' }, ...body }, init),
    job: (id, init) => api.call('GET', `/api/v1/jobs/${id}`, undefined, init),
    user: externalId => api.call('GET', `/api/v1/users/${externalId}`, undefined, { user: '' }),
    async jobs(query = '') {
      const all: Job[] = []
      let cursor = ''
      do {
        const page = await api.call<{ data: Job[]; next_cursor: string | null }>(
          'GET',
          `/api/v1/jobs?limit=100${query}${cursor}`,
          undefined,
          { user: '' },
        )
        if (page.status !== 200) throw new Error(`the list of jobs answered ${page.status}`)
        all.push(...page.body.data)
        cursor = page.body.next_cursor === null ? '' : `&cursor=${page.body.next_cursor}`
      } while (cursor !== '')
      return all
    },
  }
  return api
}

export type MadeApp = {
  api_key: string
  test_api_key: string
  webhook_secret: string
  test_webhook_secret: string
}

/** An app whose limits are not what is tested. */
export async function makeApp(
  folder: string,
  { slug = 'app', grant = 1_000_000 }: { slug?: string; grant?: number } = {},
): Promise<MadeApp> {
  const rates = ['--rate-per-user', '1000000', '--rate-per-app', '1000000']
  const names = ['--name', slug, '--slug', slug, '--grant', `${grant}`]
  return await jsonOf<MadeApp>(['apps', 'create', ...names, ...rates], { folder })
}

export const isFinal = (job: Job) => !['queued', 'running'].includes(job.status)

/** All jobs of the realm, once the last of them has ended. */
export async function finalJobs(api: Api, ms = 60_000): Promise<Job[]> {
  const isOver = async () => (await api.jobs('&status=queued,running')).length === 0
  await until('the end of every job', isOver, ms)
  return await api.jobs()
}

/** What the sandbox is to do. `canned`: no drawing, so that only the hub itself is at work. */
export function sandboxed(params: Record<string, unknown>, numOutputs = 1) {
  return {
    prompt: 'x',
    num_outputs: numOutputs,
    provider_params: { sandbox: { canned: true, ...params } },
  }
}

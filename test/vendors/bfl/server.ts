import { sample } from './samples'

export const BFL_KEY = 'bfl_loopback-key-of-the-test'

/** What arrived, as it arrived. */
export type Seen = { method: string; path: string; headers: Headers; body: string }
export type Route = 'create' | 'result' | 'credits'

export type BflServer = {
  baseUrl: string
  key: string
  seen: Seen[]
  /** How often each route was reached, refused calls included. */
  counts: Record<Route, number>
  /** The next task passes through these samples, one a question, and stays at the last. */
  plan(...steps: Step[]): void
  /** The next calls of a route are answered so, once each. */
  answer(route: Route, ...answers: (() => Response)[]): void
  /** The next call of a route is not answered; resolves when it is there. */
  hang(route: Route): Promise<void>
  /** Fields that every answer about a task has otherwise than the samples. */
  distort(fields: { [key: string]: unknown }): void
  ids(): string[]
  close(): Promise<void>
}

/** The name of a sample, or the fields themselves. */
export type Step = string | { status: string; [field: string]: unknown }

type Task = { steps: Step[]; asked: number }

/**
 * Speaks the vendor's API on a loopback port. The vendor has no client on npm that could be the other side:
 * what its registry calls so is by others (`@ai-sdk/black-forest-labs`, `bfl-api`), and the vendor's own one
 * (`blackforest`) is for Python. So this server is built on the vendor's description of its API, its pages
 * and its guide, each sample with its source, and on what those clients read of an answer.
 */
export function bflServer(): BflServer {
  const tasks = new Map<string, Task>()
  const plans: Step[][] = []
  const queued = new Map<Route, (() => Response | Promise<Response>)[]>()
  let distortion: { [key: string]: unknown } = {}

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url)
      const { method, headers } = request
      const body = await request.text()
      self.seen.push({ method, path: pathname, headers, body })
      const route = routeOf(method, pathname)
      if (route === null) return problem(404, 'error-404')
      self.counts[route]++
      const next = queued.get(route)?.shift()
      if (next) return await next()
      if (headers.get('x-key') !== BFL_KEY) return problem(403, 'error-403')
      if (route === 'credits') return Response.json(sample('credits'))
      if (route === 'create') return create(pathname, body, headers.get('host') ?? '')
      return result(searchParams.get('id') ?? '')
    },
  })

  function create(path: string, text: string, host: string): Response {
    const body = JSON.parse(text)
    const inputs = sample<Record<string, { required: string[] }>>('inputs')
    const wanted = inputs[path.replace('/v1/', '')]
    if (!wanted) return problem(404, 'error-404')
    const isWhole = wanted.required.every(name => typeof body[name] === 'string')
    if (!isWhole || body.prompt === '') return problem(400, 'error-400')
    const id = `00000000-0000-4000-8000-${String(tasks.size + 1).padStart(12, '0')}`
    tasks.set(id, { steps: plans.shift() ?? ['pending', 'ready'], asked: 0 })
    const { webhook_url } = body
    if (webhook_url) return Response.json({ ...sample('submitted-with-webhook'), id, webhook_url })
    const polling_url = `http://${host}/v1/get_result?id=${id}`
    return Response.json({ ...sample('submitted'), id, polling_url })
  }

  function result(id: string): Response {
    const task = tasks.get(id)
    if (!task) return Response.json({ id, ...sample('not-found') }, { status: 404 })
    const step = task.steps[Math.min(task.asked++, task.steps.length - 1)] ?? 'pending'
    const fields = typeof step === 'string' ? sample(step) : step
    return Response.json({ id, ...fields, ...distortion })
  }

  const queue = (route: Route, ...answers: (() => Response | Promise<Response>)[]) => {
    queued.set(route, [...(queued.get(route) ?? []), ...answers])
  }
  const self: BflServer = {
    baseUrl: `http://127.0.0.1:${server.port}`,
    key: BFL_KEY,
    seen: [],
    counts: { create: 0, result: 0, credits: 0 },
    plan: (...steps) => void plans.push(steps),
    answer: queue,
    hang: route => {
      const { promise, resolve } = Promise.withResolvers<void>()
      queue(route, () => {
        resolve()
        return new Promise<Response>(() => {})
      })
      return promise
    },
    distort: fields => {
      distortion = fields
    },
    ids: () => [...tasks.keys()],
    close: () => server.stop(true),
  }
  return self
}

/** An answer made of a sample. */
export function problem(
  status: number,
  name: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json(sample<unknown>(name), { status, headers })
}

function routeOf(method: string, path: string): Route | null {
  if (method === 'GET' && path === '/v1/credits') return 'credits'
  if (method === 'GET' && path === '/v1/get_result') return 'result'
  return method === 'POST' && /^\/v1\/[^/]+$/.test(path) ? 'create' : null
}

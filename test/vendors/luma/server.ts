import { sample } from './samples'

/** What arrived, as it arrived. */
export type Seen = {
  method: string
  path: string
  query: URLSearchParams
  headers: Headers
  body: string
}

export type Route = 'create' | 'get' | 'remove' | 'list' | 'credits' | 'ping'

export type LumaServer = {
  /** As the client's and the adapter's option has it. */
  baseUrl: string
  key: string
  seen: Seen[]
  /** How often each route was reached, refused calls included. */
  counts: Record<Route, number>
  /** The next generation passes through these states, one a look, and stays at the last. */
  plan(...steps: Step[]): void
  /** The next calls of a route are answered so, once each. */
  answer(route: Route, ...answers: (() => Response)[]): void
  /** The next call of a route is not answered; resolves when it is there. */
  hang(route: Route): Promise<void>
  /** Fields that an answer about a generation has otherwise than the samples. */
  distort(fields: { [key: string]: unknown }): void
  /** What it posts about how a generation stands. */
  posted(id: string): Uint8Array
  /** Posts it there, as the vendor does: unsigned, again until the answer is 200. */
  deliver(id: string, to: string): Promise<number[]>
  ids(): string[]
  close(): Promise<void>
}

/** The name of a sample, or the fields themselves. */
export type Step = string | { state: string; failure_reason?: string | null }

type Held = { body: { [key: string]: unknown }; steps: Step[]; step: number }

/** Speaks the vendor's API on a loopback port: the routes and bodies of its own client. */
export function lumaServer(): LumaServer {
  const key = 'luma-loopback-key-of-the-test'
  const generations = new Map<string, Held>()
  const plans: Step[][] = []
  const queued = new Map<Route, (() => Response | Promise<Response>)[]>()
  let distortion: { [key: string]: unknown } = {}

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url)
      const path = pathname.replace(/^\/dream-machine\/v1/, '')
      const body = await request.text()
      const { method, headers } = request
      self.seen.push({ method, path, query: searchParams, headers, body })
      const [route, name] = routeOf(method, path)
      if (route === null) return problem(404, 'error-404')
      self.counts[route]++
      const next = queued.get(route)?.shift()
      if (next) return await next()
      if (headers.get('authorization') !== `Bearer ${key}`) return problem(401, 'error-401')
      if (route === 'create') return create(name, body)
      if (route === 'list') return list(searchParams)
      if (route === 'credits') return Response.json(sample('credits'))
      if (route === 'ping') return Response.json(sample('ping'))
      return one(route, name)
    },
  })
  const baseUrl = `http://127.0.0.1:${server.port}/dream-machine/v1`

  function create(made: string, text: string): Response {
    const request = JSON.parse(text)
    if (!MODELS[made]?.includes(request.model)) return problem(422, 'error-422')
    const hasPrompt = typeof request.prompt === 'string' && request.prompt.length >= 3
    if (!hasPrompt && !request.keyframes) return problem(400, 'error-400')
    const id = `00000000-0000-4000-8000-${String(generations.size + 1).padStart(12, '0')}`
    const whole = sample(`generation-${made}` as 'generation-image' | 'generation-video')
    const body = { ...whole, id, model: request.model, request: { callback_url: null, ...request } }
    const usual = made === 'video' ? 'completed-video' : 'completed-image'
    generations.set(id, { body, steps: plans.shift() ?? ['dreaming', usual], step: 0 })
    return Response.json(shown(id), { status: 201 })
  }

  function one(route: 'get' | 'remove', id: string): Response {
    const held = generations.get(id)
    if (!held) return problem(404, 'error-404')
    if (route === 'remove') {
      generations.delete(id)
      return new Response(null, { status: 204 })
    }
    held.step = Math.min(held.step + 1, held.steps.length)
    return Response.json(shown(id))
  }

  function shown(id: string): { [key: string]: unknown } {
    const held = generations.get(id)
    if (!held) throw new Error(`no generation ${id}`)
    const step = held.steps[held.step - 1] ?? {}
    const fields = typeof step === 'string' ? sample(step) : step
    return { ...held.body, ...fields, ...distortion }
  }

  function list(query: URLSearchParams): Response {
    const limit = Number(query.get('limit') ?? 10)
    const offset = Number(query.get('offset') ?? 0)
    if (!Number.isInteger(limit) || limit > 100) return problem(422, 'error-422')
    const newestFirst = [...generations.keys()].reverse()
    const found = newestFirst.slice(offset, offset + limit).map(shown)
    const has_more = offset + limit < newestFirst.length
    const rest = { generations: found, count: found.length, has_more, limit, offset }
    return Response.json({ ...sample('generations'), ...rest })
  }

  const self: LumaServer = {
    baseUrl,
    key,
    seen: [],
    counts: { create: 0, get: 0, remove: 0, list: 0, credits: 0, ping: 0 },
    plan: (...steps) => void plans.push(steps),
    answer: (route, ...answers) => {
      queued.set(route, [...(queued.get(route) ?? []), ...answers])
    },
    hang: route => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const never = () => {
        resolve()
        return new Promise<Response>(() => {})
      }
      queued.set(route, [...(queued.get(route) ?? []), never])
      return promise
    },
    distort: fields => {
      distortion = fields
    },
    posted: id => Buffer.from(JSON.stringify(shown(id))),
    async deliver(id, to) {
      const statuses: number[] = []
      const headers = { 'content-type': 'application/json' }
      while (statuses.length < DELIVERIES && statuses.at(-1) !== 200) {
        const body = self.posted(id)
        statuses.push((await fetch(to, { method: 'POST', body, headers })).status)
      }
      return statuses
    },
    ids: () => [...generations.keys()],
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

/** The first and three more. */
const DELIVERIES = 4

const MODELS: { [made: string]: string[] } = {
  image: ['photon-1', 'photon-flash-1'],
  video: ['ray-2', 'ray-flash-2'],
}

function routeOf(method: string, path: string): [Route, string] | [null] {
  const [, first, name, more] = path.split('/')
  if (method === 'GET' && path === '/credits') return ['credits', '']
  if (method === 'GET' && path === '/ping') return ['ping', '']
  if (first !== 'generations' || more !== undefined) return [null]
  if (method === 'GET' && name === undefined) return ['list', '']
  if (name === undefined) return [null]
  if (method === 'POST') return MODELS[name] ? ['create', name] : [null]
  if (method === 'GET') return ['get', name]
  return method === 'DELETE' ? ['remove', name] : [null]
}

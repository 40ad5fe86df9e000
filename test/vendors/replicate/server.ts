import { createHmac } from 'node:crypto'
import { sample } from './samples'

/** What arrived, as it arrived. */
export type Seen = {
  method: string
  path: string
  query: URLSearchParams
  headers: Headers
  body: string
}

export type Route = 'create' | 'get' | 'cancel' | 'list' | 'account' | 'secret' | 'file'

/** What was uploaded, by its address. */
export type HeldFile = { name: string; type: string; bytes: Uint8Array }

export type ReplicateServer = {
  /** As the client's and the adapter's option has it. */
  baseUrl: string
  key: string
  seen: Seen[]
  /** How often each route was reached, refused calls included. */
  counts: Record<Route, number>
  /** The next prediction passes through these samples, one a look, and stays at the last. */
  plan(...steps: string[]): void
  /** The next prediction has ended when its creation is answered. */
  planAtOnce(step: string): void
  /** The next calls of a route are answered so, once each. */
  answer(route: Route, ...answers: (() => Response)[]): void
  /** The next call of a route is not answered; resolves when it is there. */
  hang(route: Route): Promise<void>
  /** Fields that an answer about a prediction has otherwise than the samples. */
  distort(fields: { [key: string]: unknown }): void
  pageSize: number
  replaceSecret(key: string): void
  /** What the vendor posts about a prediction that has ended. */
  signed(id: string, nowMs: number): { rawBody: Uint8Array; headers: Headers }
  /** Posts it there, as the vendor does to the address that it was given. */
  deliver(id: string, to: string, nowMs: number): Promise<number>
  ids(): string[]
  readonly files: ReadonlyMap<string, HeldFile>
  close(): Promise<void>
}

type Held = { body: { [key: string]: unknown }; steps: string[]; step: number; isCanceled: boolean }

/**
 * Speaks the vendor's API on a loopback port: the routes and bodies of its own client and of its
 * OpenAPI description, which forbids further properties in the body of a creation.
 */
export function replicateServer(): ReplicateServer {
  const key = 'r8_loopback-key-of-the-test'
  const predictions = new Map<string, Held>()
  const files = new Map<string, HeldFile>()
  const plans: { steps: string[]; isAtOnce: boolean }[] = []
  const queued = new Map<Route, (() => Response | Promise<Response>)[]>()
  let secret = sample<{ key: string }>('webhook-secret').key
  let distortion: { [key: string]: unknown } = {}

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url)
      const path = pathname.replace(/^\/v1/, '')
      const { method, headers } = request
      // A form is read by its own route; as a text it would be of no use.
      const isForm = headers.get('content-type')?.startsWith('multipart/') ?? false
      const body = isForm ? '' : await request.text()
      self.seen.push({ method, path, query: searchParams, headers, body })
      const [route, ...names] = routeOf(method, path)
      if (route === null) return problem(404, 'error-404')
      self.counts[route]++
      const next = queued.get(route)?.shift()
      if (next) return await next()
      if (headers.get('authorization') !== `Bearer ${key}`) return problem(401, 'error-401')
      if (route === 'create') return create(names, headers, body)
      if (route === 'file') return await keep(request)
      if (route === 'list') return list(searchParams)
      if (route === 'account') return Response.json(sample('account'))
      if (route === 'secret') return Response.json({ key: secret })
      return one(route, names[0] ?? '')
    },
  })
  const baseUrl = `http://127.0.0.1:${server.port}/v1`

  function create(names: string[], headers: Headers, text: string): Response {
    const body = JSON.parse(text)
    const isByVersion = names.length === 0
    const known = ['input', 'stream', 'webhook', 'webhook_events_filter']
    const allowed = isByVersion ? ['version', ...known] : known
    const isWhole = isByVersion ? typeof body.version === 'string' : true
    if (!isWhole || typeof body.input !== 'object' || Object.keys(body).some(isNot(allowed))) {
      return problem(422, 'error-422-body')
    }
    // Files of its own it looks up, as an address that anybody could fetch it would not.
    const own = Object.values(body.input).flat().filter(isOwnFile)
    if (!own.every(address => files.has(address))) return problem(422, 'error-422-input')
    const after = headers.get('cancel-after')
    const prefer = headers.get('prefer')
    if (after !== null && !/^(\d+h)?(\d+m)?(\d+s?)?$/.test(after)) throw new Error(after)
    if (prefer !== null && !/^wait(=([1-9]|[1-5]\d|60))?$/.test(prefer)) throw new Error(prefer)

    const id = `p${predictions.size + 1}xqz7c0rme`
    const plan = plans.shift() ?? { steps: USUAL_STEPS, isAtOnce: prefer !== null }
    const { webhook, webhook_events_filter, input } = body
    const [owner, name] = names
    predictions.set(id, {
      body: {
        ...sample('prediction-starting'),
        id,
        input,
        ...(owner === undefined ? { version: body.version } : { model: `${owner}/${name}` }),
        ...(owner === undefined ? {} : { version: 'hidden' }),
        ...(webhook === undefined ? {} : { webhook, webhook_events_filter }),
        created_at: '2026-11-21T10:00:00.000Z',
        urls: {
          web: `https://replicate.com/p/${id}`,
          get: `${baseUrl}/predictions/${id}`,
          cancel: `${baseUrl}/predictions/${id}/cancel`,
        },
      },
      steps: plan.steps,
      step: plan.isAtOnce ? plan.steps.length : 0,
      isCanceled: false,
    })
    return Response.json(shown(id), { status: 201 })
  }

  const isOwnFile = (value: unknown): value is string => `${value}`.startsWith(`${baseUrl}/files/`)

  async function keep(request: Request): Promise<Response> {
    const form = await request.formData()
    const content = form.get('content')
    // What the client sends beside it.
    const isOdd = [...form.keys()].some(isNot(['content', 'metadata']))
    if (isOdd || !(content instanceof File) || content.name === '') {
      return problem(422, 'error-422-body')
    }
    const id = `file${files.size + 1}`
    const get = `${baseUrl}/files/${id}`
    const { name, type, size } = content
    files.set(get, { name, type, bytes: await content.bytes() })
    const told = { id, name, content_type: type, size, urls: { get } }
    return Response.json({ ...sample('file'), ...told, ...distortion }, { status: 201 })
  }

  function one(route: 'get' | 'cancel', id: string): Response {
    const held = predictions.get(id)
    if (!held) return problem(404, 'error-404')
    const isOver = held.step > 0 && held.step >= held.steps.length
    if (route === 'cancel') held.isCanceled ||= !isOver
    else held.step = Math.min(held.step + 1, held.steps.length)
    return Response.json(shown(id))
  }

  function shown(id: string): { [key: string]: unknown } {
    const held = predictions.get(id)
    if (!held) throw new Error(`no prediction ${id}`)
    const step = held.steps[held.step - 1]
    const now = held.isCanceled ? 'prediction-canceled' : step
    const body = { ...held.body, ...(now === undefined ? {} : sample(now)), ...distortion }
    const { output } = body
    const { num_outputs } = held.body.input as { num_outputs?: number }
    const isFew = Array.isArray(output) && num_outputs !== undefined
    return isFew ? { ...body, output: output.slice(0, num_outputs) } : body
  }

  function list(query: URLSearchParams): Response {
    const after = query.get('created_after')
    if (after !== null && Number.isNaN(Date.parse(after))) throw new Error(after)
    const from = Number(query.get('cursor') ?? 0)
    const newestFirst = [...predictions.keys()].reverse()
    const results = newestFirst.slice(from, from + self.pageSize).map(shown)
    const isMore = from + self.pageSize < newestFirst.length
    const next = isMore ? `${baseUrl}/predictions?cursor=${from + self.pageSize}` : null
    return Response.json({ ...sample('predictions-page'), results, next })
  }

  const self: ReplicateServer = {
    baseUrl,
    key,
    seen: [],
    counts: { create: 0, get: 0, cancel: 0, list: 0, account: 0, secret: 0, file: 0 },
    pageSize: 100,
    plan: (...steps) => void plans.push({ steps, isAtOnce: false }),
    planAtOnce: step => void plans.push({ steps: [step], isAtOnce: true }),
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
    replaceSecret: replacement => {
      secret = replacement
    },
    signed: (id, nowMs) => sign(shown(id), secret, nowMs),
    async deliver(id, to, nowMs) {
      const { rawBody, headers } = self.signed(id, nowMs)
      const answer = await fetch(to, { method: 'POST', body: rawBody, headers })
      return answer.status
    },
    ids: () => [...predictions.keys()],
    files,
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

const USUAL_STEPS = ['prediction-processing', 'prediction-succeeded-list']

function routeOf(method: string, path: string): [Route | null, ...string[]] {
  const [, a, b, c, d] = path.split('/')
  const parts = path.split('/').length - 1
  if (method === 'GET' && path === '/account') return ['account']
  if (method === 'GET' && path === '/webhooks/default/secret') return ['secret']
  if (method === 'POST' && path === '/files') return ['file']
  if (path === '/predictions') return [method === 'POST' ? 'create' : 'list']
  if (method === 'POST' && (a === 'models' || a === 'deployments') && parts === 4) {
    return d === 'predictions' && b && c ? ['create', b, c] : [null]
  }
  if (a === 'predictions' && b && parts === 2 && method === 'GET') return ['get', b]
  if (a === 'predictions' && b && c === 'cancel' && parts === 3 && method === 'POST') {
    return ['cancel', b]
  }
  return [null]
}

function isNot(allowed: string[]): (name: string) => boolean {
  return name => !allowed.includes(name)
}

function sign(body: { [key: string]: unknown }, secret: string, nowMs: number) {
  const rawBody = Buffer.from(JSON.stringify(body))
  const id = `msg_${body.id}`
  const timestamp = String(Math.floor(nowMs / 1000))
  const mac = createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64'))
    .update(`${id}.${timestamp}.`)
    .update(rawBody)
    .digest('base64')
  const headers = new Headers({
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${mac}`,
  })
  return { rawBody, headers }
}

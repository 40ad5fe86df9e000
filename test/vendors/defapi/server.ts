import { sampleBody } from './samples'

/** A body with a status, a sample by name (with the status that belongs to it), or nothing at all. */
export type Reply =
  | { status?: number; body: unknown; headers?: Record<string, string> }
  | 'hang'
  | (string & {})
export type Call = 'submit' | 'query' | 'user'

export type Received = {
  call: Call
  path: string
  headers: Headers
  body: Record<string, unknown>
  /** Of a query. */
  task: string | null
}

export type DefapiServer = {
  baseUrl: string
  readonly requests: Received[]
  submit: (call: number) => Reply
  /** By the task (1 is the first that was submitted) and how often it was asked about, from 1. */
  query: (task: number, call: number) => Reply
  user: () => Reply
  of(call: Call): Received[]
  arrived(call: Call): Promise<void>
  /** Posts what a task's query would answer to the address that its submission named, unsigned. */
  callBack(sample: string): Promise<Response>
  close(): Promise<void>
}

export const KEY = 'dk-key-that-nobody-may-see'

/**
 * There is no official client to be the other side, and no specification: this server is built on how
 * several independent programs talk to the vendor, and answers what they were seen to read.
 */
export function defapiServer(): DefapiServer {
  const arrivals = new Map<Call, PromiseWithResolvers<void>>()
  const arrival = (call: Call) => {
    const known = arrivals.get(call) ?? Promise.withResolvers<void>()
    arrivals.set(call, known)
    return known
  }
  const listener = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: answer })

  const server: DefapiServer = {
    baseUrl: `http://127.0.0.1:${listener.port}`,
    requests: [],
    submit: () => 'submitted',
    query: () => 'task-picture',
    user: () => 'user',
    of: call => server.requests.filter(request => request.call === call),
    arrived: call => arrival(call).promise,
    async callBack(sample) {
      const { body } = server.of('submit').at(-1) ?? {}
      const { data } = named(await sampleBody(sample), 1)
      return await fetch(String(body?.callback_url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(data),
      })
    },
    close: () => listener.stop(true),
  }
  return server

  async function answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const call = callOf(request.method, pathname)
    if (call === null) return new Response('404 page not found', { status: 404 })
    const text = await request.text()
    const task = searchParams.get('task_id')
    const body = text === '' ? {} : JSON.parse(text)
    server.requests.push({ call, path: pathname, headers: request.headers, body, task })
    const nth = server.of(call).length
    const ofTask = server.of('query').filter(query => query.task === task).length
    arrival(call).resolve()
    if (request.headers.get('authorization') !== `Bearer ${KEY}`) {
      return await reply('error-unauthorized', 0)
    }
    if (call === 'user') return await reply(server.user(), 0)
    if (call === 'query') {
      const number = Number(task?.split('-')[1])
      return await reply(server.query(number, ofTask), number)
    }
    const isKnown = Object.keys(body).every(name => FIELDS[pathname]?.includes(name))
    return await reply(isKnown ? server.submit(nth) : 'error-code', nth)
  }
}

async function reply(given: Reply, task: number): Promise<Response> {
  if (given === 'hang') return await new Promise<never>(() => {})
  if (typeof given !== 'string') {
    const { status = 200, body, headers = {} } = given
    if (typeof body === 'string') return new Response(body, { status, headers })
    return Response.json(body, { status, headers })
  }
  const body = named(await sampleBody(given), task)
  return Response.json(body, { status: STATUSES[given] ?? 200 })
}

/** Every task has an id of its own. */
function named(body: Record<string, unknown>, task: number): Record<string, unknown> {
  const data = Object(body.data)
  return 'task_id' in data
    ? { ...body, data: { ...data, task_id: `${data.task_id}-${task}` } }
    : body
}

const STATUSES: Record<string, number> = {
  'task-not-found': 404,
  'error-unauthorized': 401,
  'error-credit': 402,
  'error-rate-limited': 429,
}

/** Of each endpoint the fields that anybody was seen to send. */
const FIELDS: Record<string, string[]> = {
  '/api/image/gen': ['model', 'prompt', 'images', 'aspect_ratio', 'image_size', 'callback_url'],
  '/api/gpt-image/gen': [
    ...['model', 'prompt', 'images', 'size', 'quality', 'background', 'output_format'],
  ],
  '/api/wan-image/gen': ['model', 'prompt', 'aspect_ratio'],
  '/api/midjourney/imagine': ['prompt', 'bot_type', 'speed'],
  '/api/midjourney/edits': ['prompt', 'image', 'speed'],
  '/api/sora2/gen': ['model', 'prompt', 'duration', 'aspect_ratio', 'images'],
  '/api/video/seedance/gen': ['model', 'content', 'duration', 'ratio'],
  '/api/google/veo/generate': ['model', 'prompt', 'aspect_ratio', 'image'],
  '/api/grok-imagine-video/gen': ['model', 'prompt', 'duration', 'aspect_ratio', 'images'],
}

function callOf(method: string, path: string): Call | null {
  if (method === 'POST') return path in FIELDS ? 'submit' : null
  if (method !== 'GET') return null
  if (path === '/api/task/query') return 'query'
  return path === '/api/user' ? 'user' : null
}

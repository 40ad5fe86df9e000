import { createHmac } from 'node:crypto'
import { sample } from './samples'

export const KEY = 'sk-or-v1-loopback-key-that-nobody-may-see'
/** What an operator copies from the settings of the workspace. */
export const SECRET = 'whs-secret-of-the-workspace'

/** A call as the vendor sees it. */
export type Seen = {
  method: string
  path: string
  headers: Headers
  json: { [name: string]: unknown }
}

export type Answer =
  /** One of the sample files, whatever was asked. */
  | { sample: string }
  | { status: number; body: string; headers?: Record<string, string> }
  /** Not before the server is closed. */
  | 'hang'
  /** The vendor goes down with the call in its hands. */
  | 'crash'

export type OpenrouterServer = {
  origin: string
  baseUrl: string
  readonly seen: Seen[]
  /** Calls that cost money. */
  starts(): Seen[]
  polls(): Seen[]
  /** For the next calls, in order; after them it serves as it should. */
  next(...answers: Answer[]): void
  /** What the video jobs say from their second poll on, in the order in which they were started. */
  videosEndAs(...samples: string[]): void
  /** Posts what has become of the video that was started last to the address that its start named. */
  callBack(sample: string, nowMs: number): Promise<Response>
  /** The next call that costs money has arrived. */
  underWay(): Promise<void>
  close(): Promise<void>
}

/** A vendor on loopback that speaks the wire format of OpenRouter's API for pictures, texts and videos. */
export function openrouterServer(): OpenrouterServer {
  const seen: Seen[] = []
  const queue: Answer[] = []
  const waiting: (() => void)[] = []
  const jobs = createJobs()
  const { promise: closed, resolve: close } = Promise.withResolvers<void>()

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const call = await see(request)
      seen.push(call)
      if (call.method === 'POST') for (const arrived of waiting.splice(0)) arrived()
      const planned = queue.shift()
      if (planned === 'crash') await server.stop(true)
      if (planned === 'hang') await closed
      return atHome(typeof planned === 'object' ? given(planned) : serve(call, jobs))
    },
  })
  const origin = `http://127.0.0.1:${server.port}`

  /** Addresses of the vendor in its samples are its own here, too. */
  async function atHome(answer: Response): Promise<Response> {
    const { status, headers } = answer
    if (!headers.get('content-type')?.startsWith('application/json')) return answer
    const body = (await answer.text()).replaceAll('https://openrouter.ai', origin)
    return new Response(body, { status, headers })
  }

  return {
    origin,
    baseUrl: `${origin}/api/v1`,
    seen,
    starts: () => seen.filter(call => call.method === 'POST'),
    polls: () => seen.filter(call => /\/videos\/[^/]+$/.test(call.path)),
    next: (...answers) => void queue.push(...answers),
    videosEndAs: (...samples) => void jobs.ends.push(...samples),
    async callBack(name, nowMs) {
      const start = seen.findLast(({ method }) => method === 'POST')
      const id = [...jobs.endOf.keys()].at(-1)
      const { rawBody, headers } = signedCallback(name, { nowMs, ...(id ? { id } : {}) })
      const url = String(start?.json.callback_url)
      return await fetch(url, { method: 'POST', headers, body: rawBody })
    },
    underWay: () => new Promise(arrived => waiting.push(arrived)),
    async close() {
      close()
      await server.stop(true)
    },
  }
}

async function see(request: Request): Promise<Seen> {
  const { method, headers, url } = request
  const json = method === 'POST' ? await request.json().catch(() => ({})) : {}
  return { method, path: new URL(url).pathname, headers, json: json as Seen['json'] }
}

function given(planned: Exclude<Answer, string>): Response {
  if ('sample' in planned) return sampled(planned.sample)
  const headers = planned.headers ?? { 'content-type': 'text/html' }
  return new Response(planned.body, { status: planned.status, headers })
}

function sampled(name: string, changes: object = {}): Response {
  const { status, body, headers = {} } = sample(name)
  return Response.json({ ...(body as object), ...changes }, { status, headers })
}

type Jobs = { ends: string[]; polls: Map<string, number>; endOf: Map<string, string> }

function createJobs(): Jobs {
  return { ends: [], polls: new Map(), endOf: new Map() }
}

function serve(call: Seen, jobs: Jobs): Response {
  if (call.headers.get('authorization') !== `Bearer ${KEY}`) return sampled('error-invalid-key')
  const { method, path, json } = call
  const [, videoId, content] = /^\/api\/v1\/videos\/([^/]+)(\/content)?$/.exec(path) ?? []
  if (method === 'GET' && videoId) return content ? film(videoId, jobs) : video(videoId, jobs)
  switch (`${method} ${path}`) {
    case 'GET /api/v1/key':
      return sampled('key')
    case 'POST /api/v1/images':
      return refuseUnknown(json, IMAGES, ['model', 'prompt']) ?? pictures(json.n)
    case 'POST /api/v1/chat/completions':
      return refuseUnknown(json, CHAT, ['model', 'messages']) ?? chat(json)
    case 'POST /api/v1/videos':
      return refuseUnknown(json, VIDEOS, ['model']) ?? startVideo(jobs)
    default:
      return Response.json({ error: { code: 404, message: 'Not Found' } }, { status: 404 })
  }
}

/** What the official client may send. Stricter than the vendor, which drops what it does not know. */
const EVERYWHERE = ['model', 'provider', 'seed', 'session_id', 'trace', 'user']
const IMAGES = [
  ...['prompt', 'n', 'aspect_ratio', 'resolution', 'size', 'quality', 'background', 'stream'],
  ...['output_format', 'output_compression', 'input_references', ...EVERYWHERE],
]
const CHAT = [
  ...['messages', 'modalities', 'image_config', 'temperature', 'top_p', 'max_completion_tokens'],
  ...['reasoning_effort', 'stream', ...EVERYWHERE],
]
const VIDEOS = [
  ...['prompt', 'aspect_ratio', 'duration', 'resolution', 'size', 'generate_audio', 'callback_url'],
  ...['frame_images', 'input_references', ...EVERYWHERE],
]

function refuseUnknown(body: Seen['json'], known: string[], needed: string[]): Response | null {
  const unknown = Object.keys(body).find(name => !known.includes(name))
  const missing = needed.find(name => !(name in body))
  if (!unknown && !missing) return null
  const message = unknown ? `Unknown field: ${unknown}` : `Missing field: ${missing}`
  return Response.json({ error: { code: 400, message } }, { status: 400 })
}

function pictures(asked: unknown): Response {
  const { data } = sample('images').body as { data: [object] }
  const count = typeof asked === 'number' ? asked : 1
  return sampled('images', { data: Array.from({ length: count }, () => data[0]) })
}

function chat({ modalities, model }: Seen['json']): Response {
  return sampled(modalities ? 'chat-image' : 'chat', { model })
}

function startVideo(jobs: Jobs): Response {
  const id = `gen-vid-1763712000-${String(jobs.endOf.size).padStart(20, '0')}`
  jobs.endOf.set(id, jobs.ends.shift() ?? 'video-completed')
  return videoAs('video-pending', id)
}

function video(id: string, { polls, endOf }: Jobs): Response {
  const end = endOf.get(id)
  if (!end)
    return Response.json({ error: { code: 404, message: 'Job not found' } }, { status: 404 })
  const poll = (polls.get(id) ?? 0) + 1
  polls.set(id, poll)
  return videoAs(poll === 1 ? 'video-in-progress' : end, id)
}

type Signing = { secret?: string; nowMs: number; id?: string }

/** A callback as the vendor's page on them has it. */
export function signedCallback(name: string, { secret = SECRET, nowMs, id }: Signing) {
  const { body } = sample(name)
  const { data } = body as { data: { id: string; status: string } }
  const rawBody = Buffer.from(textAs(body, data.id, id ?? data.id))
  const seconds = Math.floor(nowMs / 1_000)
  const mac = createHmac('sha256', secret).update(`${seconds},`).update(rawBody).digest('hex')
  const headers = new Headers({
    'content-type': 'application/json',
    'x-openrouter-signature': `t=${seconds},v1=${mac}`,
    'x-openrouter-idempotency-key': `${id ?? data.id}-${data.status}`,
  })
  return { rawBody, headers }
}

function textAs(body: unknown, own: string, id: string): string {
  return JSON.stringify(body).replaceAll(own, id)
}

/** The sample as if it were of this job. */
function videoAs(name: string, id: string): Response {
  const { status, body } = sample(name)
  const text = textAs(body, (body as { id: string }).id, id)
  return new Response(text, { status, headers: { 'content-type': 'application/json' } })
}

/** The head of an MP4 file. */
export const FILM = new Uint8Array([
  ...[0, 0, 0, 0x18, ...Buffer.from('ftypmp42'), 0, 0, 0, 0],
  ...[...Buffer.from('mp42isom')],
])

function film(id: string, { endOf }: Jobs): Response {
  if (!endOf.has(id)) return new Response('', { status: 404 })
  return new Response(FILM, { headers: { 'content-type': 'video/mp4' } })
}

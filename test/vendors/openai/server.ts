import { sample } from './samples'

export const KEY = 'sk-proj-loopback-key-that-nobody-may-see'

/** A call as the vendor sees it. `json` and `parts`: what its body was, if it was that. */
export type Seen = {
  method: string
  path: string
  headers: Headers
  json: unknown
  parts: Part[]
}
export type Part = {
  name: string
  value: string | { filename: string; type: string; size: number }
}

export type Answer =
  /** One of the sample files, whatever was asked. */
  | { sample: string; headers?: Record<string, string> }
  | { status: number; body: string; headers?: Record<string, string> }
  /** Not before the server is closed. */
  | 'hang'
  /** The vendor goes down with the call in its hands. */
  | 'crash'

export type OpenaiServer = {
  baseUrl: string
  /** Of pictures that a caller may name; not the vendor's, so a key has no business there. */
  pictureUrl(name: string): string
  readonly seen: Seen[]
  /** Calls that cost money. */
  starts(): Seen[]
  /** For the next calls, in order; after them it serves as it should. */
  next(...answers: Answer[]): void
  /** The next call that costs money has arrived. */
  underWay(): Promise<void>
  close(): Promise<void>
}

/** A vendor on loopback that speaks the wire format of OpenAI's API for picture and text models. */
export function openaiServer(): OpenaiServer {
  const seen: Seen[] = []
  const queue: Answer[] = []
  const waiting: (() => void)[] = []
  const { promise: closed, resolve: close } = Promise.withResolvers<void>()

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const call = await see(request)
      seen.push(call)
      if (call.path.startsWith('/pictures/')) return picture(call.path)
      if (call.method === 'POST') for (const arrived of waiting.splice(0)) arrived()
      const planned = queue.shift()
      if (planned === 'crash') await server.stop(true)
      if (planned === 'hang') await closed
      return typeof planned === 'object' ? plannedAnswer(planned) : serve(call)
    },
  })
  const origin = `http://127.0.0.1:${server.port}`

  return {
    baseUrl: `${origin}/v1`,
    pictureUrl: name => `${origin}/pictures/${name}`,
    seen,
    starts: () => seen.filter(call => call.method === 'POST'),
    next: (...answers) => void queue.push(...answers),
    underWay: () => new Promise(arrived => waiting.push(arrived)),
    async close() {
      close()
      await server.stop(true)
    },
  }
}

async function see(request: Request): Promise<Seen> {
  const { method, headers, url } = request
  const { pathname: path } = new URL(url)
  const seen: Seen = { method, path, headers, json: null, parts: [] }
  const type = headers.get('content-type') ?? ''
  if (type.startsWith('application/json')) seen.json = await request.json()
  if (type.startsWith('multipart/form-data')) {
    for (const [name, value] of await request.formData()) {
      seen.parts.push({
        name,
        value:
          typeof value === 'string'
            ? value
            : { filename: value.name, type: value.type, size: value.size },
      })
    }
  }
  return seen
}

function plannedAnswer(planned: Exclude<Answer, string>): Response {
  if ('status' in planned) {
    return new Response(planned.body, {
      status: planned.status,
      ...(planned.headers ? { headers: planned.headers } : {}),
    })
  }
  return sampled(planned.sample, {}, planned.headers)
}

function sampled(name: string, changes: object = {}, headers: Record<string, string> = {}) {
  const { status, body, headers: own } = sample(name)
  const merged = { 'x-request-id': 'req_loopback', ...own, ...headers }
  return Response.json({ ...(body as object), ...changes }, { status, headers: merged })
}

function serve(call: Seen): Response {
  if (call.headers.get('authorization') !== `Bearer ${KEY}`) return sampled('error-invalid-key')
  switch (`${call.method} ${call.path}`) {
    case 'GET /v1/models':
      return sampled('models')
    case 'POST /v1/images/generations':
      return generate(call.json)
    case 'POST /v1/images/edits':
      return edit(call.parts)
    case 'POST /v1/chat/completions':
      return chat(call.json)
    default:
      return refuse(404, `Invalid URL (${call.method} ${call.path})`, null)
  }
}

/** What the official client may send for picture models that are alive. */
const BOTH = ['model', 'prompt', 'n', 'size', 'quality', 'background', 'output_format', 'user']
const GENERATION = [...BOTH, 'moderation', 'output_compression', 'stream', 'partial_images']
const EDIT = [...BOTH, 'input_fidelity', 'output_compression', 'stream', 'partial_images']
const CHAT = [
  ...['model', 'messages', 'n', 'temperature', 'top_p', 'max_completion_tokens', 'stop', 'user'],
  ...['reasoning_effort', 'verbosity', 'seed', 'response_format'],
]

function generate(body: unknown): Response {
  if (!isObject(body)) return refuse(400, 'We could not parse the JSON body of your request.', null)
  return refuseUnknown(Object.keys(body), GENERATION) ?? refuseMissing(body) ?? pictures(body.n)
}

function edit(parts: Part[]): Response {
  const files = parts.filter(part => typeof part.value !== 'string')
  const texts = parts.filter(part => typeof part.value === 'string')
  const body = Object.fromEntries(texts.map(({ name, value }) => [name, value]))
  for (const { name, value } of files) {
    if (!['image', 'image[]', 'mask'].includes(name)) return refuse(400, 'Unknown file.', name)
    const type = typeof value === 'string' ? '' : value.type
    if (!['image/png', 'image/jpeg', 'image/webp'].includes(type)) {
      return refuse(400, `Invalid file 'image': unsupported mimetype ('${type}').`, 'image')
    }
  }
  if (!files.some(file => file.name.startsWith('image'))) {
    return refuse(400, "Missing required parameter: 'image'.", 'image')
  }
  return refuseUnknown(Object.keys(body), EDIT) ?? refuseMissing(body) ?? pictures(Number(body.n))
}

function chat(body: unknown): Response {
  if (!isObject(body)) return refuse(400, 'We could not parse the JSON body of your request.', null)
  const unknown = refuseUnknown(Object.keys(body), CHAT)
  if (unknown) return unknown
  const { choices } = sample('chat').body as { choices: [object] }
  const count = typeof body.n === 'number' ? body.n : 1
  const all = Array.from({ length: count }, (_, index) => ({ ...choices[0], index }))
  return sampled('chat', { choices: all, model: body.model })
}

function pictures(asked: unknown): Response {
  const { data } = sample('images').body as { data: [object] }
  const count = typeof asked === 'number' && asked > 0 ? asked : 1
  return sampled('images', { data: Array.from({ length: count }, () => data[0]) })
}

function refuseUnknown(names: string[], known: string[]): Response | null {
  const unknown = names.find(name => !known.includes(name))
  return unknown === undefined ? null : refuse(400, `Unknown parameter: '${unknown}'.`, unknown)
}

function refuseMissing(body: object): Response | null {
  const missing = ['model', 'prompt'].find(name => !(name in body))
  return missing ? refuse(400, `Missing required parameter: '${missing}'.`, missing) : null
}

function refuse(status: number, message: string, param: string | null): Response {
  const code = message.startsWith('Unknown parameter') ? 'unknown_parameter' : null
  const error = { message, type: 'invalid_request_error', param, code }
  return Response.json({ error }, { status, headers: { 'x-request-id': 'req_loopback' } })
}

const isObject = (value: unknown): value is { [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const PNG = Uint8Array.fromBase64(
  (sample('images').body as { data: [{ b64_json: string }] }).data[0].b64_json,
)
const JUST_TOO_LARGE = 20 * 1024 * 1024 + 1
const FILES: { [path: string]: { bytes: Uint8Array<ArrayBuffer>; type: string } } = {
  '/pictures/cat.png': { bytes: PNG, type: 'image/png' },
  // A wrong type on purpose: what counts are the bytes.
  '/pictures/dog.jpeg': { bytes: new Uint8Array([0xff, 0xd8, 0xff, 0xe0]), type: 'text/html' },
  '/pictures/owl.webp': { bytes: webp(), type: 'application/octet-stream' },
  '/pictures/page.png': { bytes: new TextEncoder().encode('<html>'), type: 'image/png' },
  '/pictures/huge.png': { bytes: padded(PNG, JUST_TOO_LARGE), type: 'image/png' },
}

function padded(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length)
  whole.set(bytes)
  return whole
}

function webp(): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode('RIFF\x04\x00\x00\x00WEBP')
}

function picture(path: string): Response {
  const file = FILES[path]
  if (!file) return new Response('gone', { status: 404 })
  return new Response(file.bytes, { headers: { 'content-type': file.type } })
}

import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto'
import { type Sample, sample } from './samples'

export const FAL_KEY = 'a0b1c2d3-e4f5:0123456789abcdef0123456789abcdef'

/** A sample of fal's, or an answer that is none of fal's: broken, slow, of a proxy. */
export type FalAnswer = Sample | (() => Response | Promise<Response>)

/** What becomes of one submit. */
export type FalScript = {
  /** Instead of taking it. */
  submit?: FalAnswer
  /** Each question for the status takes the next one, the last is repeated. */
  statuses?: FalAnswer[]
  result?: FalAnswer
  cancel?: FalAnswer
}

export type FalCallSeen = {
  kind: 'submit' | 'status' | 'result' | 'cancel' | 'pricing' | 'keys' | 'initiate' | 'put' | 'none'
  method: string
  path: string
  query: URLSearchParams
  headers: Headers
  body: unknown
}

export type FalVendor = {
  origin: string
  readonly calls: FalCallSeen[]
  count(kind: FalCallSeen['kind']): number
  /** The inputs that were submitted, in order. */
  inputs(): unknown[]
  /** Each submit takes the next one, the last is repeated. */
  script(...scripts: FalScript[]): void
  /** Headers and raw body of a callback as fal signs it. */
  signed(body: unknown, atMs: number): { rawBody: Uint8Array; headers: Record<string, string> }
  /** Posts it to where the newest submit wants it. */
  deliver(body: unknown, atMs: number): Promise<Response>
  /** From now on another key signs, and is published. */
  rotateKeys(): void
  /** What the keys' address answers instead. */
  answerKeys(answer: FalAnswer | null): void
  /** What was put into the store, by the address that it is read at. */
  readonly files: ReadonlyMap<string, { type: string; bytes: Uint8Array }>
  /** What asking for a place, or putting a file there, is answered with instead. */
  answerUploads(answers: { initiate?: FalAnswer; put?: FalAnswer }): void
  close(): Promise<void>
}

type Job = { id: string; base: string; script: FalScript; polls: number; isOver: boolean }

/** fal's queue, its price list and its published keys, on one loopback address. */
export function startFal(): FalVendor {
  const calls: FalCallSeen[] = []
  const jobs = new Map<string, Job>()
  let scripts: FalScript[] = [{}]
  let key = seededKey()
  let keysAnswer: FalAnswer | null = null
  let uploadAnswers: { initiate?: FalAnswer; put?: FalAnswer } = {}
  const files = new Map<string, { type: string; bytes: Uint8Array }>()

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url)
      const route = routeOf(request.method, pathname)
      const bytes = await request.bytes()
      const text = route.kind === 'put' ? '' : new TextDecoder().decode(bytes)
      calls.push({
        kind: route.kind,
        method: request.method,
        path: pathname,
        query: searchParams,
        headers: request.headers,
        body: text === '' ? null : JSON.parse(text),
      })
      if (route.kind === 'keys') return await answer(keysAnswer ?? keysOf(key))
      if (route.kind === 'put') return await put(request, bytes)
      if (request.headers.get('authorization') !== `Key ${FAL_KEY}`) {
        return await answer(sample('error-unauthorized'))
      }
      if (route.kind === 'pricing') return await answer(sample('pricing'))
      if (route.kind === 'initiate') return await initiate(searchParams, text)
      if (route.kind === 'submit') return await submit(route.base)
      if ('id' in route) return await about(route)
      return new Response('Method Not Allowed', { status: 405 })
    },
  })
  const origin = `http://127.0.0.1:${server.port}`

  /** The store is another host: it asks for the signature in the address and knows nobody's key. */
  async function initiate(query: URLSearchParams, text: string): Promise<Response> {
    const asked: { [name: string]: unknown } = JSON.parse(text)
    const isWhole = query.get('storage_type') === 'fal-cdn-v3' && asked.content_type
    if (!isWhole || typeof asked.file_name !== 'string') return await answer(sample('error-input'))
    if (uploadAnswers.initiate) return await answer(uploadAnswers.initiate)
    const { file_url, upload_url } = sample('upload-initiated').body as { [name: string]: string }
    const at = `${crypto.randomUUID()}_${asked.file_name}`
    const here = (address = '') =>
      address.replace(/^https:\/\/v3b\.fal\.media\/.*\/[^/?]+/, `${origin}/store/${at}`)
    const body = { file_url: here(file_url), upload_url: here(upload_url) }
    return await answer({ ...sample('upload-initiated'), body })
  }

  async function put(request: Request, bytes: Uint8Array): Promise<Response> {
    if (uploadAnswers.put) return await answer(uploadAnswers.put)
    const { headers, url } = request
    const { origin: host, pathname, searchParams } = new URL(url)
    const isSigned = searchParams.get('token') === 'a-signature'
    if (!isSigned || headers.has('authorization')) return new Response('', { status: 403 })
    files.set(`${host}${pathname}`, { type: headers.get('content-type') ?? '', bytes })
    return new Response(null, { status: 200 })
  }

  async function submit(base: string): Promise<Response> {
    const script = (scripts.length > 1 ? scripts.shift() : scripts[0]) ?? {}
    if (script.submit) return await answer(script.submit)
    const job: Job = { id: crypto.randomUUID(), base, script, polls: 0, isOver: false }
    jobs.set(job.id, job)
    return await answer(sample('submitted'), job)
  }

  async function about(route: Extract<Route, { id: string }>): Promise<Response> {
    const job = jobs.get(route.id)
    if (!job || job.base !== route.base) {
      const isCancel = route.kind === 'cancel'
      return await answer(sample(isCancel ? 'cancel-not-found' : 'error-not-found'))
    }
    if (route.kind === 'status') return await status(job)
    if (route.kind === 'result') {
      if (!job.isOver) return await answer(sample('error-in-progress'))
      return await answer(job.script.result ?? sample('result-images'), job)
    }
    if (job.script.cancel) return await answer(job.script.cancel)
    const wasOver = job.isOver
    job.isOver = true
    return await answer(sample(wasOver ? 'cancel-completed' : 'cancel-requested'))
  }

  async function status(job: Job): Promise<Response> {
    const statuses = job.script.statuses ?? [
      sample('status-in-queue'),
      sample('status-in-progress'),
      sample('status-completed'),
    ]
    const index = Math.min(job.polls++, statuses.length - 1)
    job.isOver ||= index === statuses.length - 1
    return await answer(statuses[index] ?? sample('status-completed'), job)
  }

  /** A sample names one request of one app; it is made to speak of this one, and of this server. */
  async function answer(what: FalAnswer, job?: Job): Promise<Response> {
    if (typeof what === 'function') return await what()
    let text = JSON.stringify(what.body)
    if (job) {
      text = text
        .replaceAll(
          'https://queue.fal.run/fal-ai/flux/requests/',
          `${origin}/${job.base}/requests/`,
        )
        .replaceAll('80e732af-660e-45cd-bd63-580e4f2a94cc', job.id)
    }
    return new Response(text, {
      status: what.status ?? 200,
      headers: {
        'content-type': 'application/json',
        'x-fal-request-id': job?.id ?? 'none',
        ...what.headers,
      },
    })
  }

  return {
    origin,
    calls,
    count: kind => calls.filter(call => call.kind === kind).length,
    inputs: () => calls.filter(call => call.kind === 'submit').map(call => call.body),
    script(...next) {
      scripts = next
    },
    signed: (body, atMs) => signedBy(key, body, atMs),
    async deliver(body, atMs) {
      const webhook = calls.findLast(call => call.kind === 'submit')?.query.get('fal_webhook')
      const { rawBody, headers } = signedBy(key, body, atMs)
      return await fetch(webhook ?? 'nowhere', { method: 'POST', headers, body: rawBody })
    },
    rotateKeys() {
      key = generateKeyPairSync('ed25519').privateKey
    },
    answerKeys(next) {
      keysAnswer = next
    },
    files,
    answerUploads(answers) {
      uploadAnswers = answers
    },
    close: () => server.stop(true),
  }
}

type Route =
  | { kind: 'submit'; base: string }
  | { kind: 'status' | 'result' | 'cancel'; base: string; id: string }
  | { kind: 'pricing' | 'keys' | 'initiate' | 'put' | 'none' }

/** Only the owner and the app are in the addresses of a request, whatever the path of the endpoint. */
function routeOf(method: string, path: string): Route {
  if (method === 'GET' && path === '/v1/models/pricing') return { kind: 'pricing' }
  if (method === 'POST' && path === '/storage/upload/initiate') return { kind: 'initiate' }
  if (method === 'PUT' && path.startsWith('/store/')) return { kind: 'put' }
  if (method === 'GET' && path === '/.well-known/jwks.json') return { kind: 'keys' }
  const about =
    /^\/((?:(?:workflows|comfy)\/)?[^/]+\/[^/]+)\/requests\/([^/]+)(\/status|\/cancel)?$/
  const [, base = '', id = '', what = ''] = about.exec(path) ?? []
  if (id && what === '/status' && method === 'GET') return { kind: 'status', base, id }
  if (id && what === '/cancel' && method === 'PUT') return { kind: 'cancel', base, id }
  if (id && what === '' && method === 'GET') return { kind: 'result', base, id }
  if (id || method !== 'POST' || path.includes('/requests/')) return { kind: 'none' }
  const [, app] = /^\/((?:(?:workflows|comfy)\/)?[^/]+\/[^/]+)/.exec(path) ?? []
  return app ? { kind: 'submit', base: app } : { kind: 'none' }
}

/** The key of the known vector: 32 bytes of 0x07. */
function seededKey(): KeyObject {
  const { x } = keyOfVector()
  const d = Buffer.alloc(32, 7).toString('base64url')
  return createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x, d }, format: 'jwk' })
}

function keyOfVector(): { x: string } {
  const { keys } = sample('jwks').body as { keys: { x: string }[] }
  return keys[0] ?? { x: '' }
}

function keysOf(key: KeyObject): Sample {
  const { x } = key.export({ format: 'jwk' })
  return { ...sample('jwks'), body: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: `${x}` }] } }
}

function signedBy(key: KeyObject, body: unknown, atMs: number) {
  const rawBody = new Uint8Array(Buffer.from(JSON.stringify(body)))
  const timestamp = `${Math.floor(atMs / 1_000)}`
  const hash = createHash('sha256').update(rawBody).digest('hex')
  const { request_id: requestId } = body as { request_id: string }
  const message = `${requestId}\nuser-1\n${timestamp}\n${hash}`
  return {
    rawBody,
    headers: {
      'content-type': 'application/json',
      'X-Fal-Webhook-Request-Id': requestId,
      'X-Fal-Webhook-User-Id': 'user-1',
      'X-Fal-Webhook-Timestamp': timestamp,
      'X-Fal-Webhook-Signature': sign(null, Buffer.from(message), key).toString('hex'),
    },
  }
}

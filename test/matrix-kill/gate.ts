import { picture } from '@test/support/fake-provider'
import { clip } from '@/providers/sandbox/clip'
import type { Offer, Shop } from './offers'

/** What a call is to the hub that makes it. `other`: proofs of the key, look-ups, cancellations. */
export type Call = 'start' | 'poll' | 'output' | 'other'
/** Nothing of an answer comes, or its first half. Either way the vendor has done what it was asked. */
export type Held = 'silent' | 'half'

/** Stands before a vendor, in the process of the test: what passes is counted, and can be kept back. */
export type Gate = AsyncDisposable & {
  /** As the adapter takes it. */
  baseUrl: string
  /** `host:port`, for ALLOW_PRIVATE_DESTINATIONS. */
  host: string
  /** Whatever is asked below it is a file that a vendor made. */
  filesUrl: string
  /** By what they are, calls that arrived. */
  calls: Record<Call, number>
  /** Keeps back the answer to the `nth` such call from now on; resolves when it is kept back. */
  hold(call: Call, how: Held, nth?: number): Promise<void>
}

type Hold = { call: Call; how: Held; left: number; reached: () => void }

export function startGate(offer: Offer, shop: Shop): Gate {
  const inside = new URL(shop.baseUrl).origin
  const calls: Gate['calls'] = { start: 0, poll: 0, output: 0, other: 0 }
  let hold: Hold | null = null

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { origin, pathname } = new URL(request.url)
      const call = callOf(request.method, pathname)
      calls[call] += 1
      const isVendors = !pathname.startsWith(FILES)
      const answered = isVendors ? await forward(request, inside, origin) : null
      const isFile = call === 'output' && answered?.ok !== false
      const answer = answered === null || isFile ? fileOf(offer, pathname) : answered
      if (hold?.call !== call || --hold.left > 0) return answer
      const { how, reached } = hold
      hold = null
      return await keepBack(answer, how, reached)
    },
  })
  const host = `127.0.0.1:${server.port}`
  const outside = `http://${host}`
  return {
    baseUrl: shop.baseUrl.replace(inside, outside),
    host,
    filesUrl: `${outside}${FILES}`,
    calls,
    hold(call, how, nth = 1) {
      const { promise, resolve } = Promise.withResolvers<void>()
      hold = { call, how, left: nth, reached: resolve }
      return promise
    },
    async [Symbol.asyncDispose]() {
      await server.stop(true)
    },
  }
}

const FILES = '/the-files/'

function callOf(method: string, path: string): Call {
  // Two vendors keep what they made behind the key, at addresses of their API.
  if (path.startsWith(FILES) || /:download$|\/content$/.test(path)) return 'output'
  if (method === 'POST') return path.endsWith('/cancel') ? 'other' : 'start'
  return method === 'GET' && POLLS.test(path) ? 'poll' : 'other'
}

/** One prediction, request, operation, video, task or generation. */
const POLLS =
  /\/predictions\/[^/]+$|\/requests\/[^/]+(\/status)?$|\/operations\/[^/]+$|\/videos\/[^/]+$|\/task\/query$|\/tasks\/[^/]+$|\/generations\/[^/]+$|\/get_result$/

async function forward(request: Request, inside: string, outside: string): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const headers = new Headers(request.headers)
  headers.delete('host')
  const answer = await fetch(`${inside}${pathname}${search}`, {
    method: request.method,
    headers,
    redirect: 'manual',
    ...(request.method === 'POST' ? { body: await request.bytes() } : {}),
  })
  const type = answer.headers.get('content-type') ?? ''
  const body = type.startsWith('application/json')
    ? // Where the vendor names itself, it names us.
      new TextEncoder().encode((await answer.text()).replaceAll(inside, outside))
    : await answer.bytes()
  return new Response(answer.status === 204 ? null : body, {
    status: answer.status,
    headers: { 'content-type': type },
  })
}

/**
 * Whole files, which the hub looks into; the vendors' servers have but the heads of some. Each picture's
 * address has bytes of its own, so that a mix-up would show.
 */
function fileOf({ kind }: Offer, path: string): Response {
  const bytes = kind === 'video' ? clip() : picture(Number(Bun.hash.crc32(path)) & 0xffffff)
  return new Response(bytes as Uint8Array<ArrayBuffer>)
}

async function keepBack(answer: Response, how: Held, reached: () => void): Promise<Response> {
  if (how === 'silent') {
    reached()
    return await new Promise<Response>(() => {})
  }
  const bytes = await answer.bytes()
  const half = new ReadableStream({
    start(controller) {
      controller.enqueue(bytes.subarray(0, bytes.length / 2))
      reached()
    },
  })
  const headers = new Headers(answer.headers)
  headers.set('content-length', `${bytes.length}`)
  return new Response(half, { status: answer.status, headers })
}

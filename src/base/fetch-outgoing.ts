import type { Destination } from './destination'
import { FetchFailure } from './fetch-failure'
import type { SafeFetchInit } from './safe-fetch'

/** A request as it leaves. */
export type Outgoing = { method: string; headers: Record<string, string>; body: Uint8Array | null }

/** Some vendors turn away requests that name no client. */
const USER_AGENT = 'ai-backend-hub'

/** CONNECT would turn the peer into a proxy, TRACE would read our own headers back to us. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** These say where the request goes and how it is framed, which is decided here alone. */
const OUR_HEADERS = [
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

export async function buildOutgoing(
  destination: Destination,
  init: SafeFetchInit,
): Promise<Outgoing> {
  try {
    const method = (init.method ?? 'GET').toUpperCase()
    if (!METHODS.has(method)) throw new TypeError('the method is not allowed')
    const headers = new Headers(init.headers)
    for (const name of OUR_HEADERS) headers.delete(name)
    const body = await encodeBody(init.body, headers)
    if (body !== null || method === 'POST' || method === 'PUT' || method === 'PATCH') {
      headers.set('content-length', String(body?.byteLength ?? 0))
    }
    headers.set('host', destination.hostHeader)
    // What is not compressed need not be unpacked. A server that compresses all the same is understood.
    setDefault(headers, 'accept-encoding', 'identity')
    setDefault(headers, 'accept', '*/*')
    setDefault(headers, 'user-agent', USER_AGENT)
    return { method, headers: Object.fromEntries(headers), body }
  } catch (error) {
    // A line break in a key, say. Nothing was sent, and another provider may serve.
    throw new FetchFailure('connection_failed', false, error)
  }
}

async function encodeBody(
  body: string | Uint8Array | FormData | undefined,
  headers: Headers,
): Promise<Uint8Array | null> {
  if (body === undefined) return null
  if (typeof body === 'string') {
    setDefault(headers, 'content-type', 'text/plain;charset=UTF-8')
    return new TextEncoder().encode(body)
  }
  if (body instanceof Uint8Array) return body
  const form = new Response(body)
  // Only this one names the boundary between the parts.
  headers.set('content-type', form.headers.get('content-type') ?? 'multipart/form-data')
  return form.bytes()
}

function setDefault(headers: Headers, name: string, value: string): void {
  if (!headers.has(name)) headers.set(name, value)
}

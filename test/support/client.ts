import { type AnswerCheck, currentCheck, expectDocumented } from './openapi-check'

/** A server that listens, or an app that is asked directly. */
export type Door = { url: string } | { handle(request: Request): Promise<Response> }

export type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>

export type Send = {
  /** API key, as `X-API-Key`. */
  key?: string
  /** `X-User-ID`. */
  user?: string
  /** `X-User-Token`. */
  token?: string
  headers?: Record<string, string>
  /** Sent as JSON. */
  json?: unknown
  /** Sent as it is; its media type is in `headers`. */
  body?: Body
  /** The path or method is not in the document, on purpose. */
  isOutside?: boolean
}

export type Answer = {
  status: number
  headers: Headers
  bytes: Uint8Array
  text: string
  /** The body, as the caller of the test knows it to be. Throws when it is no JSON. */
  json<T = Record<string, unknown>>(): T
}

/**
 * Calls the API as an app would, and holds every single answer against the OpenAPI document: a test that
 * uses it proves the document along the way. Redirects are not followed.
 */
export type Client = {
  send(method: string, path: string, options?: Send): Promise<Answer>
  get(path: string, options?: Send): Promise<Answer>
  post(path: string, json?: unknown, options?: Send): Promise<Answer>
  patch(path: string, json?: unknown, options?: Send): Promise<Answer>
  delete(path: string, options?: Send): Promise<Answer>
  /** The same door with these options on every call. */
  as(options: Send): Client
}

export function apiClient(
  door: Door,
  defaults: Send = {},
  check: AnswerCheck = currentCheck(),
): Client {
  const client: Client = {
    async send(method, path, options = {}) {
      const sent = { ...defaults, ...options, headers: { ...defaults.headers, ...options.headers } }
      const response = await ask(door, method, path, sent)
      const bytes = await response.bytes()
      const { status, headers } = response
      expectDocumented(check, {
        method,
        path,
        status,
        headers,
        body: bytes,
        ...(sent.isOutside ? { isOutside: true } : {}),
      })
      answered++
      const text = new TextDecoder().decode(bytes)
      return { status, headers, bytes, text, json: <T>() => JSON.parse(text) as T }
    },
    get: (path, options) => client.send('GET', path, options),
    post: (path, json, options) => client.send('POST', path, { ...options, json }),
    patch: (path, json, options) => client.send('PATCH', path, { ...options, json }),
    delete: (path, options) => client.send('DELETE', path, options),
    as: options =>
      apiClient(
        door,
        { ...defaults, ...options, headers: { ...defaults.headers, ...options.headers } },
        check,
      ),
  }
  return client
}

/** How many answers were held against the document in this process so far. */
export function answersChecked(): number {
  return answered
}
let answered = 0

const IN_PROCESS = 'http://localhost:3000'

async function ask(door: Door, method: string, path: string, sent: Send): Promise<Response> {
  const headers = new Headers(sent.headers)
  if (sent.key !== undefined) headers.set('x-api-key', sent.key)
  if (sent.user !== undefined) headers.set('x-user-id', sent.user)
  if (sent.token !== undefined) headers.set('x-user-token', sent.token)
  let body: Body | null = sent.body ?? null
  if (sent.json !== undefined) {
    body = JSON.stringify(sent.json)
    if (!headers.has('content-type')) headers.set('content-type', 'application/json')
  }
  const init: RequestInit = { method, headers, redirect: 'manual', ...(body ? { body } : {}) }
  if ('url' in door) return await fetch(door.url + path, init)
  headers.set('host', 'localhost:3000')
  const response = await door.handle(new Request(IN_PROCESS + path, init))
  // A socket would leave the body of a HEAD at home.
  return method === 'HEAD' ? new Response(null, response) : response
}

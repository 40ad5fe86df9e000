import { randomUUID } from 'node:crypto'
import type { z } from 'zod'
import { AppError, invalidInput } from '@/base/errors'
import { inputProblems } from '@/base/input-problems'
import type { ForeignCommits } from '@/db/foreign-commits'
import type { Deps } from '@/deps'
import { callerAddress, isListed } from './address'
import { authenticate } from './authenticate'
import type { Caller } from './caller'
import { errorBody, retryAfterOf, toAppError } from './error-response'
import type { Operation } from './operation'
import { RateLimited, type RateLimits } from './rate-limits'
import { readJson } from './read-json'

/** What a door needs beside the domain. */
export type HttpDeps = {
  deps: Deps
  limits: RateLimits
  foreign: ForeignCommits
  /** True from SIGTERM on: new calls are sent away. */
  isStopping: () => boolean
}

/** A call that passed the guard: who, what, and about what. */
export type Call<T extends Operation> = {
  /** Null only for public operations. */
  caller: T['access'] extends 'public' ? null : Caller
  params: Record<string, string>
  query: T['query'] extends z.ZodType ? z.output<T['query']> : Record<string, never>
  body: T['body'] extends z.ZodType ? z.output<T['body']> : null
  request: Request
  requestId: string
  ip: string
  /** The origin that links in the answer begin with. */
  baseUrl: string
}

export type Reply = { status: number; body: unknown; headers?: Record<string, string> } | Response

/** What Elysia hands to a handler, as far as we use it. */
export type RouteContext = {
  request: Request
  params: Record<string, string>
  server: { requestIP(request: Request): { address: string } | null } | null
}

/**
 * On every answer, a page and a file too, unless it sets its own. Answers are somebody's: no cache may keep
 * them, and none of them runs anything.
 */
const DEFAULT_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const
const JSON_HEADERS = {
  ...DEFAULT_HEADERS,
  'content-type': 'application/json; charset=utf-8',
} as const

/**
 * The one guard of every route: request id, key, user, limits, input, then the handler, and an answer in
 * our shape whatever happens. Elysia's own hooks stay out of it, so a forgotten one cannot open a route.
 */
export function guarded<T extends Operation>(
  http: HttpDeps,
  operation: T,
  handle: (call: Call<T>) => Reply | Promise<Reply>,
): (context: RouteContext) => Promise<Response> {
  const { deps } = http
  const answer = async (context: RouteContext): Promise<Response> => {
    const { request } = context
    const startedAt = performance.now()
    const requestId = requestIdOf(request)
    let headers: Record<string, string> = {}
    let response: Response
    try {
      http.foreign.check()
      const caller = await admit(http, operation, context)
      if (caller && operation.access !== 'public') {
        headers = await http.limits.count(caller, operation.access.counts)
      }
      const call = {
        caller,
        params: context.params,
        query: readQuery(operation, request),
        body: await readBody(operation, request),
        request,
        requestId,
        get ip() {
          return addressOf(deps, context)
        },
        get baseUrl() {
          return baseUrlOf(deps, context)
        },
      }
      response = toResponse(await handle(call as Call<T>), requestId, headers)
    } catch (thrown) {
      response = refuse(deps, thrown, requestId, headers)
    }
    logRequest(deps, operation, response, requestId, startedAt)
    return response
  }
  // Named one by one: Elysia reads this text, and for a whole context it would prepare cookies and copy
  // every answer (a fifth of a small read).
  return ({ request, params, server }) => answer({ request, params, server })
}

/** The answer to anything thrown, in our shape. */
export function refuse(
  deps: Deps,
  thrown: unknown,
  requestId: string,
  headers: Record<string, string> = {},
): Response {
  const error = toAppError(thrown, deps.log.with({ request_id: requestId }))
  const wait = retryAfterOf(error)
  return toResponse({ status: error.status, body: errorBody(error, requestId) }, requestId, {
    ...headers,
    ...(error instanceof RateLimited ? error.headers : {}),
    ...(wait === null ? {} : { 'retry-after': String(wait) }),
  })
}

/** The caller's own id if it is 1 to 128 visible ASCII characters, else one of ours. */
export function requestIdOf(request: Request): string {
  const given = request.headers.get('x-request-id')
  return given !== null && /^[\x21-\x7e]{1,128}$/.test(given) ? given : randomUUID()
}

async function admit(
  http: HttpDeps,
  operation: Operation,
  context: RouteContext,
): Promise<Caller | null> {
  const { access } = operation
  if (access === 'public') return null
  if (http.isStopping()) throw new AppError('shutting_down', { detail: { retry_after: 1 } })
  const caller = await authenticateOrCount(http, context)
  if (access.keys === 'secret' && caller.key.kind !== 'secret') {
    throw new AppError('forbidden', { detail: { required_scope: 'secret' } })
  }
  const isUserNeeded =
    access.user === 'required' || (access.user === 'optional' && caller.key.kind === 'publishable')
  if (isUserNeeded && !caller.user) throw new AppError(missingUserCode(caller))
  return caller
}

async function authenticateOrCount(http: HttpDeps, context: RouteContext): Promise<Caller> {
  try {
    return await authenticate(http.deps, context.request.headers)
  } catch (error) {
    const isStranger =
      error instanceof AppError && ['missing_api_key', 'invalid_api_key'].includes(error.code)
    if (isStranger) await http.limits.countStranger(addressOf(http.deps, context))
    throw error
  }
}

function missingUserCode(caller: Caller): 'missing_user' | 'missing_user_token' {
  const needsToken = caller.key.kind === 'publishable' && caller.realm.mode === 'live'
  return needsToken ? 'missing_user_token' : 'missing_user'
}

function readQuery(operation: Operation, request: Request): unknown {
  const at = request.url.indexOf('?')
  if (!operation.query && at === -1) return {}
  const given = Object.fromEntries(new URLSearchParams(at === -1 ? '' : request.url.slice(at + 1)))
  if (!operation.query) return {}
  const parsed = operation.query.safeParse(given)
  if (parsed.success) return parsed.data
  throw new AppError('invalid_input', { detail: { details: inputProblems(parsed.error) } })
}

async function readBody(operation: Operation, request: Request): Promise<unknown> {
  if (!operation.body) return null
  const json = await readJson(request)
  if (json === null && !operation.isBodyOptional) throw invalidInput('', 'a JSON body is required')
  const parsed = operation.body.safeParse(json ?? {})
  if (parsed.success) return parsed.data
  throw new AppError('invalid_input', { detail: { details: inputProblems(parsed.error) } })
}

function toResponse(reply: Reply, requestId: string, headers: Record<string, string>): Response {
  if (reply instanceof Response) return withDefaults(reply, requestId, headers)
  return new Response(JSON.stringify(reply.body), {
    status: reply.status,
    headers: { ...JSON_HEADERS, ...headers, ...reply.headers, 'x-request-id': requestId },
  })
}

/** An answer that was made elsewhere, with the headers that every answer has. */
export function withDefaults(
  response: Response,
  requestId: string,
  headers: Record<string, string> = {},
): Response {
  response.headers.set('x-request-id', requestId)
  for (const [name, value] of Object.entries({ ...DEFAULT_HEADERS, ...headers })) {
    if (!response.headers.has(name)) response.headers.set(name, value)
  }
  return response
}

function addressOf(deps: Deps, { request, server }: RouteContext): string {
  const socket = server?.requestIP(request)?.address ?? '127.0.0.1'
  if (deps.config.trustedProxies.length === 0) return socket
  return callerAddress(socket, request.headers.get('x-forwarded-for'), deps.config.trustedProxies)
}

/** PUBLIC_URL, else the Host that this caller reached us by. */
function baseUrlOf(deps: Deps, { request, server }: RouteContext): string {
  if (deps.config.publicUrl) return deps.config.publicUrl
  const host = request.headers.get('host')
  if (!host || !/^[A-Za-z0-9.\-:[\]]{1,255}$/.test(host)) return deps.ownUrl()
  const { trustedProxies } = deps.config
  const isProxied =
    trustedProxies.length > 0 && isListed(server?.requestIP(request)?.address ?? '', trustedProxies)
  const isSecure = isProxied && request.headers.get('x-forwarded-proto') === 'https'
  return `${isSecure ? 'https' : 'http'}://${host}`
}

function logRequest(
  deps: Deps,
  operation: Operation,
  response: Response,
  requestId: string,
  startedAt: number,
) {
  // A health check every few seconds would be most of the log.
  const level = operation.tag === 'Service' && response.ok ? 'debug' : 'info'
  deps.log[level]('request', {
    request_id: requestId,
    method: operation.method,
    // The route and not the address: addresses hold ids of people.
    path: operation.path,
    status: response.status,
    ms: Math.round((performance.now() - startedAt) * 100) / 100,
  })
}

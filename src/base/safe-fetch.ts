import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { pipeline, type Readable } from 'node:stream'
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib'
import { type AllowedDestinations, parseAllowedDestinations } from '@/base/address'
import { type Destination, mayDial, readDestination } from '@/base/destination'

export { checkDestination } from '@/base/destination'

export type SafeFetchInit = {
  method?: string
  headers?: Record<string, string>
  body?: string | Uint8Array | FormData
  /** For the whole exchange, from the question to DNS to the last byte of the body. */
  timeoutMs?: number
  /** Of the body, counted after decompression. */
  maxBytes?: number
  signal?: AbortSignal
}

/**
 * A real Response whose body is read from the network as it is consumed. A body that nobody reads holds its
 * connection until the timeout: cancel it when only the status matters.
 * @throws BlockedDestination, before any byte left. @throws FetchFailure, also out of the body's stream.
 */
export type SafeFetch = (url: string, init?: SafeFetchInit) => Promise<Response>

export type SafeFetchConfig = {
  /** Hosts, host:port or CIDR that may be reached although private, and over plain http. */
  allowPrivate: string[]
  /** All addresses of a name; rejects or answers none when there are none. */
  resolve?: (host: string) => Promise<string[]>
}

/**
 * The only way out of the process. Everything that leaves is https to a public address on port 443 unless
 * the operator listed the host. The name is resolved once, every address it has is checked, and the socket
 * is opened to a checked address, so a name that changes its mind in between changes nothing. TLS and the
 * Host header go by the name. Redirects are answers like any other, never followed.
 *
 * It stands on node's http client and not on the global fetch because that one opens file: and s3:, obeys
 * proxy variables, repeats a PUT or GET by itself when a kept connection breaks, and cannot tell whether
 * anything had been sent when it failed.
 */
export function createSafeFetch(config: SafeFetchConfig): SafeFetch {
  const allowed = parseAllowedDestinations(config.allowPrivate)
  const resolve = config.resolve ?? resolveByDns
  const agents = createAgents()

  return async (url, init = {}) => {
    const destination = readDestination(url, allowed)
    if (typeof destination === 'string') throw new BlockedDestination(destination)
    const limits = startLimits(init.timeoutMs ?? DEFAULT_TIMEOUT_MS, init.signal)
    try {
      const outgoing = await buildOutgoing(destination, init)
      const addresses = await limits.orCut(() => resolveChecked(destination, resolve, allowed))
      const answer = await dial(destination, addresses, outgoing, agents, limits)
      try {
        return toResponse(answer, outgoing.method, init.maxBytes ?? DEFAULT_MAX_BYTES, limits)
      } catch (error) {
        answer.destroy()
        throw toFailure(error, 'sent', limits)
      }
    } catch (error) {
      limits.end()
      throw error
    }
  }
}

/** Refused by rule, before any byte left. The message is a sentence that a caller may see. */
export class BlockedDestination extends Error {
  override readonly name = 'BlockedDestination'
  readonly code = 'blocked_destination'
}

export type FetchFailureCode =
  | 'dns_failed'
  | 'connection_refused'
  | 'connection_failed'
  | 'tls_failed'
  | 'timeout'
  | 'aborted'
  | 'too_large'

/** The exchange broke. The message is for our logs. */
export class FetchFailure extends Error {
  override readonly name = 'FetchFailure'

  /** `mayHaveBeenSent` is false only when surely no byte of the request reached the peer. */
  constructor(
    readonly code: FetchFailureCode,
    readonly mayHaveBeenSent: boolean,
    cause?: unknown,
  ) {
    super(describe(code, cause), cause === undefined ? undefined : { cause })
  }
}

/** Most vendors answer a start or a poll within seconds; who waits longer (inline text, large files) says so. */
const DEFAULT_TIMEOUT_MS = 30_000

/** Room for the largest output that is sold (a video of some minutes); everything else asks for less. */
const DEFAULT_MAX_BYTES = 100 * 1024 * 1024

/**
 * For TCP and TLS together. A healthy vendor needs well under a second; ten leave room for three repeated
 * SYN packets (after 1, 3 and 7 s), and a dead one is told apart from a slow answer: surely nothing was sent.
 */
const CONNECT_TIMEOUT_MS = 10_000

/**
 * How long an unused connection is kept. Common servers close theirs after 5 s or later, and a POST that
 * meets a connection being closed ends as "may have been sent", which is dear. Under load, where reuse
 * matters, connections are used again long before. A shorter `Keep-Alive: timeout` of the server is obeyed.
 */
const IDLE_CONNECTION_MS = 4_000

/** Per host and address. More would only wait to be closed again. */
const MAX_IDLE_CONNECTIONS = 16

/** Of an answer. Vendors stay below 8 KB; what sends more is broken or hostile. */
const MAX_HEADER_BYTES = 32 * 1024

/** Two of each family find a working one wherever there is one; a name with hundreds must not be walked. */
const MAX_ADDRESSES_TRIED = 4

/** Some vendors turn away requests that name no client. */
const USER_AGENT = 'ai-backend-hub'

type Agents = { http: HttpAgent; https: HttpsAgent }

function createAgents(): Agents {
  const options = {
    keepAlive: true,
    timeout: IDLE_CONNECTION_MS,
    maxFreeSockets: MAX_IDLE_CONNECTIONS,
  }
  return { http: new HttpAgent(options), https: new HttpsAgent(options) }
}

/**
 * c-ares and not the system's resolver: that one works on the few threads which also serve file reads and
 * compression, so some dozen names whose servers never answer would freeze both for the whole process.
 */
async function resolveByDns(host: string): Promise<string[]> {
  const found = await Bun.dns.lookup(host, { backend: 'c-ares' })
  return found.map(entry => entry.address)
}

async function resolveChecked(
  destination: Destination,
  resolve: (host: string) => Promise<string[]>,
  allowed: AllowedDestinations,
): Promise<string[]> {
  if (destination.isLiteral) return [destination.hostname]
  const addresses = await resolve(destination.hostname).catch(error => {
    throw new FetchFailure('dns_failed', false, error)
  })
  // One private address among public ones is enough to refuse: an honest name has no such mixture.
  if (!addresses.every(address => mayDial(destination, address, allowed))) {
    throw new BlockedDestination('The host of the URL does not have a public address.')
  }
  return alternateFamilies(addresses).slice(0, MAX_ADDRESSES_TRIED)
}

/** IPv4 first, because a machine without IPv6 is more common than one without IPv4. */
function alternateFamilies(addresses: string[]): string[] {
  const v4 = addresses.filter(address => !address.includes(':'))
  const v6 = addresses.filter(address => address.includes(':'))
  return Array.from({ length: Math.max(v4.length, v6.length) }, (_, i) => [v4[i], v6[i]])
    .flat()
    .filter(address => address !== undefined)
}

/** Goes on to the next address only while surely nothing was sent to the one before. */
async function dial(
  destination: Destination,
  addresses: string[],
  outgoing: Outgoing,
  agents: Agents,
  limits: Limits,
): Promise<IncomingMessage> {
  // Stays so for a name that exists and has no address.
  let failure = new FetchFailure('dns_failed', false)
  for (const address of preferConnected(destination, addresses, agents)) {
    try {
      return await send(destination, address, outgoing, agents, limits)
    } catch (error) {
      // Anything else means that node refused to build the request, so it never had a socket.
      failure =
        error instanceof FetchFailure ? error : new FetchFailure('connection_failed', false, error)
      if (failure.mayHaveBeenSent || limits.reason !== null) throw failure
    }
  }
  throw failure
}

/** Vendors rotate their addresses; the one we are connected to saves a handshake and is as good as any. */
function preferConnected(destination: Destination, addresses: string[], agents: Agents): string[] {
  const agent = destination.isTls ? agents.https : agents.http
  const connected = addresses.find(
    address => agent.freeSockets[agent.getName(target(destination, address))] !== undefined,
  )
  if (connected === undefined) return addresses
  return [connected, ...addresses.filter(address => address !== connected)]
}

/** Host is an address, so nothing is left to be resolved; TLS asks for and checks the name. */
function target(destination: Destination, address: string) {
  const { port, isTls, isLiteral, hostname } = destination
  // SNI must not carry an address; without a name the certificate is checked against the address.
  return isTls
    ? { host: address, port, servername: isLiteral ? '' : hostname }
    : { host: address, port }
}

function send(
  destination: Destination,
  address: string,
  outgoing: Outgoing,
  agents: Agents,
  limits: Limits,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let phase: Phase = 'connecting'
    const { isTls, path } = destination
    const { method, headers, body } = outgoing
    const agent = isTls ? agents.https : agents.http
    const request = (isTls ? httpsRequest : httpRequest)({
      ...target(destination, address),
      path,
      method,
      headers,
      agent,
      setHost: false,
      maxHeaderSize: MAX_HEADER_BYTES,
    })
    const connectTimer = setTimeout(
      () => request.destroy(new FetchFailure('timeout', false)),
      CONNECT_TIMEOUT_MS,
    )
    const connected = () => {
      phase = 'sent'
      clearTimeout(connectTimer)
    }
    const failed = (error: unknown) => {
      clearTimeout(connectTimer)
      forget()
      reject(toFailure(error, phase, limits))
    }
    const forget = limits.onCut(() => request.destroy(new Error('cut off')))

    request.once('socket', socket => {
      if (request.reusedSocket) return connected()
      if (!isTls) return socket.once('connect', connected)
      socket.once('connect', () => {
        phase = 'handshaking'
      })
      return socket.once('secureConnect', connected)
    })
    // Stays for good: after the answer has begun, its own stream reports the error.
    request.on('error', failed)
    request.once('upgrade', (_answer, socket) => {
      socket.destroy()
      failed(new Error('the peer switched protocols unasked'))
    })
    request.once('response', answer => {
      forget()
      // A stream that breaks while nobody listens would end the process. Its readers hear of it themselves.
      answer.on('error', () => {})
      resolve(answer)
    })
    request.end(body)
  })
}

type Phase = 'connecting' | 'handshaking' | 'sent'

function toFailure(error: unknown, phase: Phase, limits: Limits): FetchFailure {
  const wasSent = phase === 'sent'
  if (error instanceof FetchFailure) return error
  if (limits.reason !== null) return new FetchFailure(limits.reason, wasSent, error)
  if (!wasSent) {
    const code = codeOf(error)
    if (code === 'ECONNREFUSED') return new FetchFailure('connection_refused', false, error)
    if (phase === 'handshaking') return new FetchFailure('tls_failed', false, error)
  }
  return new FetchFailure('connection_failed', wasSent, error)
}

type Outgoing = { method: string; headers: Record<string, string>; body: Uint8Array | null }

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

async function buildOutgoing(destination: Destination, init: SafeFetchInit): Promise<Outgoing> {
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

/** These have no body, and a Response refuses to be made with one. */
const BODILESS_STATUSES = new Set([204, 205, 304])

function toResponse(
  answer: IncomingMessage,
  method: string,
  maxBytes: number,
  limits: Limits,
): Response {
  const status = answer.statusCode ?? 0
  if (status < 200 || status > 599) throw new Error(`answered with status ${status}`)
  const headers = readHeaders(answer)
  if (method === 'HEAD' || BODILESS_STATUSES.has(status)) {
    const forget = limits.onCut(() => answer.destroy())
    answer.once('close', () => {
      forget()
      limits.end()
    })
    answer.resume()
    return new Response(null, { status, headers })
  }
  const decoder = createDecoder(headers.get('content-encoding'))
  if (decoder === null) {
    return new Response(readBounded(answer, maxBytes, limits), { status, headers })
  }
  // Both describe the bytes on the wire, not those that the reader gets.
  headers.delete('content-encoding')
  headers.delete('content-length')
  // An error of either side destroys both, and reaches the reader by the decoder.
  pipeline(answer, decoder, () => {})
  // Empty blocks unpack to nothing, so an endless row of them would never exceed the cap on what is unpacked.
  let received = 0
  answer.on('data', (piece: Uint8Array) => {
    received += piece.byteLength
    if (received > maxBytes) decoder.destroy(new FetchFailure('too_large', true))
  })
  return new Response(readBounded(decoder, maxBytes, limits), { status, headers })
}

function readHeaders(answer: IncomingMessage): Headers {
  const headers = new Headers()
  const raw = answer.rawHeaders
  for (let i = 0; i + 1 < raw.length; i += 2) headers.append(raw[i] ?? '', raw[i + 1] ?? '')
  return headers
}

/** Each yields small pieces and stops when nobody reads, so a bomb never unfolds beyond what is taken. */
function createDecoder(encoding: string | null) {
  switch (encoding?.trim().toLowerCase()) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    case 'br':
      return createBrotliDecompress()
    case 'zstd':
      return createZstdDecompress()
    default:
      // None, or one that we do not speak, or several on top of each other: handed on as it came, with its
      // header still there to say so.
      return null
  }
}

/** Passes `source` on piece by piece until `maxBytes` of it are exceeded. */
function readBounded(
  source: Readable,
  maxBytes: number,
  limits: Limits,
): ReadableStream<Uint8Array> {
  const pieces = source[Symbol.asyncIterator]()
  let count = 0
  const stop = () => {
    limits.end()
    forget()
    source.destroy()
  }
  const forget = limits.onCut(() => source.destroy(new Error('cut off')))
  source.on('error', () => {})
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await pieces.next()
        if (done) {
          limits.end()
          forget()
          return controller.close()
        }
        const piece: Uint8Array = value
        count += piece.byteLength
        if (count > maxBytes) throw new FetchFailure('too_large', true)
        controller.enqueue(piece)
      } catch (error) {
        const failure = toFailure(error, 'sent', limits)
        stop()
        controller.error(failure)
      }
    },
    cancel: stop,
  })
}

type Limits = {
  /** Why the exchange was cut off; null while it may go on. */
  readonly reason: 'timeout' | 'aborted' | null
  /** Runs `act` when the exchange is cut off, at once if it already is; answers how to take it back. */
  onCut(act: () => void): () => void
  /** For work that cannot be stopped: its answer no longer matters once the exchange is cut off. */
  orCut<T>(work: () => Promise<T>): Promise<T>
  /** The exchange is over: nothing is cut off any more. */
  end(): void
}

function startLimits(timeoutMs: number, signal: AbortSignal | undefined): Limits {
  let reason: 'timeout' | 'aborted' | null = null
  const acts = new Set<() => void>()
  const cut = (why: 'timeout' | 'aborted') => {
    end()
    reason = why
    for (const act of acts) act()
  }
  const abort = () => cut('aborted')
  const timer = setTimeout(() => cut('timeout'), timeoutMs)
  const end = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()

  const onCut = (act: () => void) => {
    if (reason === null) acts.add(act)
    else act()
    return () => {
      acts.delete(act)
    }
  }
  return {
    get reason() {
      return reason
    },
    onCut,
    end,
    async orCut(work) {
      if (reason !== null) throw new FetchFailure(reason, false)
      let forget = () => {}
      const cutOff = new Promise<never>((_, reject) => {
        forget = onCut(() => reject(new FetchFailure(reason ?? 'aborted', false)))
      })
      try {
        return await Promise.race([cutOff, work()])
      } finally {
        forget()
      }
    },
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function describe(code: FetchFailureCode, cause: unknown): string {
  if (cause === undefined) return code
  return `${code}: ${cause instanceof Error ? cause.message : String(cause)}`
}

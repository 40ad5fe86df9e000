import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { type AllowedDestinations, parseAllowedDestinations } from '@/base/address'
import { type Destination, mayDial, readDestination } from '@/base/destination'
import { toResponse } from './fetch-answer'
import { BlockedDestination, FetchFailure, type Phase, toFailure } from './fetch-failure'
import { type Limits, startLimits } from './fetch-limits'
import { buildOutgoing, type Outgoing } from './fetch-outgoing'

export { checkDestination } from '@/base/destination'
export { BlockedDestination, FetchFailure, type FetchFailureCode } from './fetch-failure'

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
        throw toFailure(error, 'sent', limits.reason)
      }
    } catch (error) {
      limits.end()
      throw error
    }
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
      reject(toFailure(error, phase, limits.reason))
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

import {
  type AllowedDestinations,
  allowsAddress,
  allowsHost,
  isAddress,
  isPublicAddress,
  parseAllowedDestinations,
  withoutBrackets,
} from '@/base/address'

/**
 * The check a URL gets when it is taken in (webhook_url, images): by its text alone, without asking DNS.
 * Answers null when it may be called, else one sentence naming what is wrong. The sentence never repeats
 * the URL, which may carry a secret. What a name resolves to is checked whenever it is called.
 * @throws Error when an entry of `allowPrivate` is neither a host nor a network.
 */
export function checkDestination(url: string, allowPrivate: string[]): string | null {
  const destination = readDestination(url, parseAllowedDestinations(allowPrivate))
  return typeof destination === 'string' ? destination : null
}

/** A URL that passed. What is dialled is built from these parts, never from the URL's text again. */
export type Destination = {
  isTls: boolean
  /** Without brackets. */
  hostname: string
  /** For the Host header: brackets and port where they belong. */
  hostHeader: string
  port: number
  /** Path and query, escaped. */
  path: string
  /** The hostname is itself an address: nothing to resolve. */
  isLiteral: boolean
  /** The operator listed this host: it may be private. */
  isListed: boolean
}

/** Answers the refusal as a sentence. */
export function readDestination(url: string, allowed: AllowedDestinations): Destination | string {
  const spelling = checkSpelling(url)
  if (spelling !== null) return spelling
  const parsed = URL.parse(url)
  if (parsed === null) return 'The URL cannot be read.'
  const isTls = parsed.protocol === 'https:'
  const port = parsed.port === '' ? (isTls ? HTTPS_PORT : HTTP_PORT) : Number(parsed.port)
  const isListed = allowsHost(allowed, parsed.hostname, port)
  const hostname = withoutBrackets(parsed.hostname)
  const isLiteral = isAddress(hostname)
  if (!isListed) {
    if (!isTls) return 'The URL must begin with https://.'
    if (port !== HTTPS_PORT) return 'The URL must not name a port other than 443.'
    if (isLiteral && !isPublicAddress(hostname)) return 'The URL must not name a private address.'
  }
  if (!isLiteral) {
    const name = checkName(hostname, isListed)
    if (name !== null) return name
  }
  const path = `${parsed.pathname}${parsed.search}`
  return { isTls, hostname, hostHeader: parsed.host, port, path, isLiteral, isListed }
}

/** May this resolved address of an accepted destination be dialled? */
export function mayDial(
  destination: Destination,
  address: string,
  allowed: AllowedDestinations,
): boolean {
  if (!isAddress(address)) return false
  return destination.isListed || isPublicAddress(address) || allowsAddress(allowed, address)
}

const HTTPS_PORT = 443
const HTTP_PORT = 80

/** Longer URLs are refused by many servers and proxies; signed ones of the large clouds stay well below. */
const MAX_URL_LENGTH = 4_096

/**
 * What URL parsers repair in silence is refused before one sees it: a URL that two readers understand
 * differently is how a check and a dial come to disagree.
 */
function checkSpelling(url: string): string | null {
  if (url.length > MAX_URL_LENGTH) return `The URL is longer than ${MAX_URL_LENGTH} characters.`
  if (hasBlankOrControl(url)) return 'The URL must not contain blanks or control characters.'
  if (url.includes('\\')) return 'The URL must not contain a backslash.'
  const match = /^https?:\/\/([^/?#]*)/i.exec(url)
  if (match === null) return 'The URL must begin with https://.'
  if (match[1] === '') return 'The URL names no host.'
  if (match[1]?.includes('@')) return 'The URL must not contain a user name or a password.'
  return null
}

function hasBlankOrControl(text: string): boolean {
  return /[\s\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}]/u.test(text)
}

/** Names that only mean something inside a machine or a network, whatever DNS may answer for them. */
const INSIDE_NAMES = ['localhost', 'local', 'internal', 'localdomain', 'home.arpa']

const MAX_NAME_LENGTH = 253
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/

/** A listed host may be an inside name or a single label, but must still be a name. */
function checkName(hostname: string, isListed: boolean): string | null {
  // With a trailing dot the same host has a second spelling, which slips past every list of names.
  if (hostname.endsWith('.')) return 'The host must not end with a dot.'
  const labels = hostname.split('.')
  if (hostname.length > MAX_NAME_LENGTH || !labels.every(label => LABEL.test(label))) {
    return 'The host is not a valid name.'
  }
  if (isListed) return null
  if (labels.length === 1) return 'The host must be a full name with a dot.'
  if (INSIDE_NAMES.some(name => hostname === name || hostname.endsWith(`.${name}`))) {
    return 'The host must be a public name.'
  }
  return null
}

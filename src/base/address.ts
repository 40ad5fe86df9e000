import ipaddr from 'ipaddr.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6

/**
 * True for an address that the public internet routes to one host. Takes only the plain spellings that a
 * resolver or a parsed URL hands out: four decimal numbers, or IPv6 without brackets and without a zone.
 * Anything else is not an address to us, so it is not public either.
 */
export function isPublicAddress(text: string): boolean {
  const address = parseAddress(text)
  if (address === null) return false
  // `unicast` is what the library says when no special range matches, so every range that it knows
  // (private, loopback, CGNAT, documentation, 6to4, Teredo, NAT64, AS112 and so on) is refused here.
  if (address.range() !== 'unicast') return false
  return address instanceof ipaddr.IPv4 || (isGlobalUnicast(address) && !isIsatap(address))
}

/** What the operator lets us reach although it is private, read once from its textual form. */
export type AllowedDestinations = {
  /** `host` or `host:port`, spelled the way a parsed URL spells it; IPv6 in brackets. */
  hosts: ReadonlySet<string>
  networks: readonly [Address, number][]
}

/**
 * Reads `host`, `host:port` and CIDR entries.
 * @throws Error naming the entry that is none of them, so that a typing mistake stops the start instead of
 * leaving the door shut (or open) in silence.
 */
export function parseAllowedDestinations(entries: readonly string[]): AllowedDestinations {
  const hosts = new Set<string>()
  const networks: [Address, number][] = []
  for (const entry of entries) {
    if (entry.includes('/')) networks.push(parseNetwork(entry))
    else hosts.add(parseHostEntry(entry))
  }
  return { hosts, networks }
}

/** `hostname` is a URL's (lower case, IPv6 in brackets). A listed network covers literal addresses in it. */
export function allowsHost(allowed: AllowedDestinations, hostname: string, port: number): boolean {
  return (
    allowed.hosts.has(hostname) ||
    allowed.hosts.has(`${hostname}:${port}`) ||
    allowsAddress(allowed, withoutBrackets(hostname))
  )
}

export function allowsAddress(allowed: AllowedDestinations, text: string): boolean {
  const address = parseAddress(text)
  if (address === null) return false
  return allowed.networks.some(
    ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
  )
}

export function isAddress(text: string): boolean {
  return parseAddress(text) !== null
}

export function withoutBrackets(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}

function parseAddress(text: string): Address | null {
  // The library also reads 0x7f.1, 017.0.0.1 and fe80::1%eth0. Those spellings mean different addresses to
  // different readers, so only the one spelling that everybody reads alike is taken.
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text)
  if (!text.includes('%') && ipaddr.IPv6.isValid(text)) return ipaddr.IPv6.parse(text)
  return null
}

/**
 * 2000::/3 is the only IPv6 space from which public addresses are given out. Asking for it, instead of
 * listing what lies outside, also refuses the IPv4-compatible ::/96, which the library calls unicast.
 */
const GLOBAL_UNICAST = ipaddr.IPv6.parse('2000::')
const GLOBAL_UNICAST_BITS = 3

function isGlobalUnicast(address: ipaddr.IPv6): boolean {
  return address.match(GLOBAL_UNICAST, GLOBAL_UNICAST_BITS)
}

/** ISATAP carries an IPv4 address, which may be private, behind the interface mark 0000:5efe or 0200:5efe. */
function isIsatap(address: ipaddr.IPv6): boolean {
  const [, , , , mark, tag] = address.parts
  return (mark === 0 || mark === 0x0200) && tag === 0x5efe
}

function parseNetwork(entry: string): [Address, number] {
  const [text = '', bits = '', ...rest] = entry.split('/')
  const address = parseAddress(text)
  const widest = address instanceof ipaddr.IPv4 ? 32 : 128
  if (address === null || rest.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > widest) {
    throw new Error(`"${entry}" is not a network: write it like 10.0.0.0/8 or fd00::/8`)
  }
  return [address, Number(bits)]
}

function parseHostEntry(entry: string): string {
  const refused = new Error(
    `"${entry}" is not a host: write it like minio.lan, minio.lan:9000 or [::1]:9000`,
  )
  const bare = ipaddr.IPv6.isValid(entry) ? `[${entry}]` : entry
  const match = /^(\[[0-9a-f:.]+\]|[^\s:/?#@\\*[\]]+)(?::(\d{1,5}))?$/i.exec(bare)
  const url = match?.[1] === undefined ? null : URL.parse(`http://${match[1]}/`)
  if (url === null || match === null) throw refused
  const port = match[2]
  if (port === undefined) return url.hostname
  if (Number(port) < 1 || Number(port) > 65_535) throw refused
  return `${url.hostname}:${Number(port)}`
}

import ipaddr from 'ipaddr.js'

/**
 * The caller's address: the socket's, or behind listed proxies the rightmost address of X-Forwarded-For
 * that is not one of them. What stands further left, a caller may have written himself.
 */
export function callerAddress(
  socketAddress: string,
  forwardedFor: string | null,
  trustedProxies: string[],
): string {
  if (!forwardedFor || !isListed(socketAddress, trustedProxies)) return socketAddress
  const hops = forwardedFor.split(',').map(hop => hop.trim())
  const own = hops.findLast(hop => !isListed(hop, trustedProxies))
  return own && ipaddr.isValid(own) ? own : socketAddress
}

export function isListed(address: string, ranges: string[]): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  return ranges.some(range => {
    const [network, bits] = range.includes('/')
      ? ipaddr.parseCIDR(range)
      : ([ipaddr.process(range), null] as const)
    if (network.kind() !== parsed.kind()) return false
    return parsed.match(network, bits ?? (parsed.kind() === 'ipv4' ? 32 : 128))
  })
}

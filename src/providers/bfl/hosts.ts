import { mayHaveKey } from '../http'

/**
 * Whether a task may be asked about at this address, with the key. The vendor answers addresses of the
 * region that took the task (`api.eu2.bfl.ai`), adds and removes regions as it likes, and knows a task in
 * its own region only: so its address is neither composed nor compared with a list.
 */
export function mayBeAsked(baseUrl: string, address: string): boolean {
  if (mayHaveKey(baseUrl, address)) return true
  const url = URL.parse(address)
  return url !== null && REGION.test(url.origin) && mayHaveKey(url.origin, address)
}

/** Not `delivery.*` and the like below the same name: they serve what people have made. */
const REGION = /^https:\/\/api(\.[a-z0-9-]+)?\.bfl\.ai$/

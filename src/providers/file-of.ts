import type { Output } from './spec'

/**
 * What lies at an address of a vendor's answer: of https the address, of a `data:` address the bytes. None
 * at any other, nor where the data is no base64. `contentType` is what the vendor says of it; of bytes it is
 * not needed, for they tell.
 */
export function fileOf(address: string, contentType: string | null = null): Output[] {
  if (/^data:/i.test(address)) return inlineOf(address)
  if (URL.parse(address)?.protocol !== 'https:') return []
  return [{ type: 'file', url: address, contentType }]
}

function inlineOf(address: string): Output[] {
  const comma = address.indexOf(',')
  if (comma < 0 || !/;base64$/i.test(address.slice(0, comma))) return []
  try {
    const bytes = Uint8Array.fromBase64(address.slice(comma + 1))
    return bytes.length > 0 ? [{ type: 'file', bytes, contentType: null }] : []
  } catch {
    return []
  }
}

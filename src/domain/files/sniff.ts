/** What bytes really are, by their first ones. What a vendor or a name claims is never believed. */
export type MediaType = 'image/png' | 'image/jpeg' | 'image/webp' | 'video/mp4'

export function sniff(bytes: Uint8Array): MediaType | null {
  if (startsWith(bytes, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return 'image/png'
  if (startsWith(bytes, [0xff, 0xd8, 0xff])) return 'image/jpeg'
  if (ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 12) === 'WEBP') return 'image/webp'
  if (ascii(bytes, 4, 8) === 'ftyp' && !NO_VIDEO.has(ascii(bytes, 8, 12))) return 'video/mp4'
  return null
}

/**
 * Pictures (AVIF, HEIF, JPEG 2000, raw ones) and sound come in the same box as MP4 and differ by its brand.
 * The others are not listed: there are dozens (isom, iso5, mp42, avc1, dash, `M4V `, `qt  `, 3gp4, ...), new
 * ones appear, and whether there is a film inside is read from the index, whatever the brand.
 */
const NO_VIDEO = new Set([
  ...['avif', 'avis', 'mif1', 'msf1', 'miaf', 'jp2 ', 'jpx ', 'jpm ', 'crx '],
  ...['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'hevm', 'hevs'],
  ...['M4A ', 'M4B ', 'M4P ', 'F4A ', 'F4B ', 'aax '],
])

function startsWith(bytes: Uint8Array, head: number[]): boolean {
  return head.every((byte, index) => bytes[index] === byte)
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end))
}

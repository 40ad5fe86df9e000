import { DAY } from '@/base/clock'
import { type FileId, formatId } from '@/base/ids'
import { sameBytes } from '@/base/secrets'
import type { Deps } from '@/deps'

export type Link = { url: string; expiresAt: number }

/** 128 bits of the MAC: short enough for a URL, far too long to guess. */
const SIGNATURE_BYTES = 16
const EXTENSIONS: Record<string, string> = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/webp': 'webp',
  'video/mp4': 'mp4',
}

/**
 * An address that works without a key for at least `leastMs`. Its end is rounded up to a whole UTC day, so
 * that the same file keeps the same address within a day and caches work.
 */
export function linkTo(
  deps: Pick<Deps, 'secrets' | 'clock'>,
  baseUrl: string,
  file: { id: FileId; contentType: string },
  leastMs: number,
): Link {
  const expiresAt = Math.ceil((deps.clock.wall() + leastMs) / DAY) * DAY
  const id = formatId('file', file.id)
  const seconds = expiresAt / 1000
  const [signature] = signatures(deps, id, seconds)
  const name = `${id}.${EXTENSIONS[file.contentType] ?? 'bin'}`
  return {
    url: `${baseUrl}/files/${name}?exp=${seconds}&sig=${signature}`,
    expiresAt,
  }
}

/** True for a signature of ours, by the current key or an earlier one, whose end has not come. */
export function isLinkGood(
  deps: Pick<Deps, 'secrets' | 'clock'>,
  id: string,
  expiry: string,
  signature: string,
): boolean {
  if (!/^\d{1,12}$/.test(expiry)) return false
  // The texts are compared and not what they decode to: decoders forgive, and one link has one spelling.
  const given = Buffer.from(signature)
  const isOurs = signatures(deps, id, Number(expiry)).some(ours =>
    sameBytes(Buffer.from(ours), given),
  )
  return isOurs && Number(expiry) * 1000 > deps.clock.wall()
}

function signatures(deps: Pick<Deps, 'secrets'>, id: string, expirySeconds: number): string[] {
  return deps.secrets
    .hmacs('urls', `${id}.${expirySeconds}`)
    .map(mac => mac.subarray(0, SIGNATURE_BYTES).toString('base64url'))
}

import { crc32 } from 'node:zlib'
import { invariant } from '@/base/invariant'
import { sha256Hex } from '@/base/secrets'
import type { Mode } from '@/deps'

/**
 * `<prefix>_<live|test>_[pk_]<43 base62><6 character checksum>`. The checksum lets a scanner, and us,
 * refuse a mistyped or made-up key without a look at the database.
 */
export type KeyKind = 'secret' | 'publishable'

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const SECRET_LENGTH = 43
const CHECKSUM_LENGTH = 6
/** Enough to recognise a key in a list, far too little to guess it. */
const DISPLAYED_SECRET = 4

const PATTERN = /^([a-z0-9]{2,12})_(live|test)_(pk_)?([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/

export function makeKeyText(
  prefix: string,
  mode: Mode,
  kind: KeyKind,
  random: Uint8Array,
): { text: string; display: string } {
  const head = `${prefix}_${mode}_${kind === 'publishable' ? 'pk_' : ''}`
  const secret = base62(random, SECRET_LENGTH)
  const body = head + secret
  return { text: body + checksum(body), display: head + secret.slice(0, DISPLAYED_SECRET) }
}

/** How many random bytes `makeKeyText` wants: one a character leaves 5.95 bits of each. */
export const KEY_RANDOM_BYTES = 64

export function isWellFormedKey(text: string): boolean {
  if (!PATTERN.test(text)) return false
  return text.slice(-CHECKSUM_LENGTH) === checksum(text.slice(0, -CHECKSUM_LENGTH))
}

export function hashKey(text: string): Uint8Array {
  return Buffer.from(sha256Hex(text), 'hex')
}

function checksum(body: string): string {
  let rest = crc32(body)
  let text = ''
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    text = BASE62.charAt(rest % 62) + text
    rest = Math.floor(rest / 62)
  }
  return text
}

/** Uniform: bytes that would favour the first letters are skipped. */
function base62(random: Uint8Array, length: number): string {
  let text = ''
  for (const byte of random) {
    if (byte < 248) text += BASE62.charAt(byte % 62)
    if (text.length === length) return text
  }
  invariant(false, 'enough random bytes for a key')
}

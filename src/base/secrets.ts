import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  timingSafeEqual,
} from 'node:crypto'
import { invariant } from './invariant'

/** What a subkey is for. One root key, one derived key per purpose: a leak of one use does not open another. */
export type Purpose = 'store' | 'urls' | 'callbacks' | 'user-tokens' | 'erased-users' | 'key-check'

export const ROOT_KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Where a sealed value lives. It is authenticated, so a value copied to another row does not open there. */
export type SealedPlace = { table: string; column: string; row: number | string }

export type Secrets = {
  /** Names the current root key without telling anything of it. */
  keyId: string
  subkey(purpose: Purpose): Buffer
  hmac(purpose: Purpose, message: string): Buffer
  /** The same by every key that we hold, current first: what an older key signed still verifies. */
  hmacs(purpose: Purpose, message: string): Buffer[]
  /** `v1.<key id>.<nonce>.<data>`, AES-256-GCM. */
  seal(place: SealedPlace, plain: string, nonce: Uint8Array): string
  /** Throws when no key that we hold opens it or when it is not of this place. */
  open(place: SealedPlace, sealed: string): string
}

export function createSecrets(rootKey: Uint8Array, previous: Uint8Array[] = []): Secrets {
  for (const key of [rootKey, ...previous]) {
    invariant(key.length === ROOT_KEY_BYTES, 'a root key has 32 bytes')
  }
  const rings = [rootKey, ...previous].map(key => ({ id: keyIdOf(key), derive: deriver(key) }))
  const [current] = rings
  invariant(current, 'there is a current key')

  return {
    keyId: current.id,
    subkey: purpose => current.derive(purpose),
    hmac: (purpose, message) => sign(current.derive(purpose), message),
    hmacs: (purpose, message) => rings.map(ring => sign(ring.derive(purpose), message)),
    seal(place, plain, nonce) {
      invariant(nonce.length === NONCE_BYTES, 'a nonce has 12 bytes')
      const cipher = createCipheriv('aes-256-gcm', current.derive('store'), nonce)
      cipher.setAAD(Buffer.from(placeText(place)))
      const data = Buffer.concat([
        cipher.update(plain, 'utf8'),
        cipher.final(),
        cipher.getAuthTag(),
      ])
      return `v1.${current.id}.${Buffer.from(nonce).toString('base64url')}.${data.toString('base64url')}`
    },
    open(place, sealed) {
      const [version, keyId, nonce, data] = sealed.split('.')
      const ring = rings.find(candidate => candidate.id === keyId)
      if (version !== 'v1' || !ring || !nonce || !data) {
        throw new Error(`${place.table}.${place.column} is sealed by a key that is not here`)
      }
      const bytes = Buffer.from(data, 'base64url')
      const decipher = createDecipheriv(
        'aes-256-gcm',
        ring.derive('store'),
        Buffer.from(nonce, 'base64url'),
      )
      decipher.setAAD(Buffer.from(placeText(place)))
      decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
      const body = bytes.subarray(0, bytes.length - TAG_BYTES)
      return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8')
    },
  }
}

export function sha256Hex(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Compares without telling by its duration how much was right. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

const SECRET_NAME =
  /(authorization|cookie|api[-_]?key|fal[-_]?key|provider[-_]?keys?|secret|token$|password|sealed|x-user-token)/i
/**
 * Our own credentials wherever they turn up in a text: app keys and webhook secrets. Also glued to other
 * words, with a character too many, or cut: what is left of a key is enough to find the rest.
 */
const OURS = /[a-z0-9]{2,12}_(?:live|test)_(?:pk_)?[0-9A-Za-z]{20,}|whsec_[A-Za-z0-9+/=]{20,}/
/**
 * Keys of vendors whose form tells what they are: Replicate's, those that begin like OpenAI's, Google's,
 * Runway's (our own ids of keys are shorter), Luma's, and fal's pair of an id and a secret.
 */
const THEIRS =
  /(?<![0-9A-Za-z])(?:(?:r8_|[sd]k-)[\w-]{16,}|AIza[\w-]{20,}|AQ\.[\w-]{30,}|key_[0-9a-f]{32,}|luma-[0-9a-f-]{30,})|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f]{16,}/
const SECRET_SHAPE = new RegExp(`${OURS.source}|${THEIRS.source}`, 'g')

/** Masks a field of a log line by its name, whatever it holds, and a text by its shape. */
export function redact(key: string, value: unknown): unknown {
  if (value === null || value === undefined || typeof value === 'boolean') return value
  if (SECRET_NAME.test(key)) return '[redacted]'
  if (typeof value !== 'string' || value.length <= SHORTEST_SECRET) return value
  return value.replace(SECRET_SHAPE, '[redacted]')
}

const SHORTEST_SECRET = 16

function sign(key: Buffer, message: string): Buffer {
  return createHmac('sha256', key).update(message).digest()
}

function deriver(rootKey: Uint8Array): (purpose: Purpose) => Buffer {
  const known = new Map<Purpose, Buffer>()
  return purpose => {
    const found = known.get(purpose)
    if (found) return found
    const made = Buffer.from(hkdfSync('sha256', rootKey, 'ai-backend-hub', purpose, ROOT_KEY_BYTES))
    known.set(purpose, made)
    return made
  }
}

function keyIdOf(rootKey: Uint8Array): string {
  return sha256Hex(Buffer.concat([Buffer.from('ai-backend-hub key id'), rootKey])).slice(0, 8)
}

function placeText(place: SealedPlace): string {
  return `${place.table}.${place.column}.${place.row}`
}

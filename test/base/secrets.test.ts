import { describe, expect, test } from 'bun:test'
import { createHmac, randomBytes } from 'node:crypto'
import { InvariantError } from '@/base/invariant'
import {
  createSecrets,
  type Purpose,
  ROOT_KEY_BYTES,
  type SealedPlace,
  sameBytes,
  sha256Hex,
} from '@/base/secrets'

const PLACE: SealedPlace = { table: 'realms', column: 'webhook_secret_sealed', row: 7 }
const PURPOSES: Purpose[] = [
  'store',
  'urls',
  'callbacks',
  'user-tokens',
  'erased-users',
  'key-check',
]
const key = () => new Uint8Array(randomBytes(ROOT_KEY_BYTES))
const nonce = () => new Uint8Array(randomBytes(12))

describe('a sealed secret', () => {
  test('opens at its place, whatever it is', () => {
    const secrets = createSecrets(key())
    for (const plain of ['', 'x', 'whsec_abc', 'ä\u{1F600}\u0000', 'y'.repeat(100_000)]) {
      const sealed = secrets.seal(PLACE, plain, nonce())
      expect(secrets.open(PLACE, sealed)).toBe(plain)
    }
  })

  test('has the documented form and shows nothing of what is in it', () => {
    const secrets = createSecrets(key())
    const sealed = secrets.seal(PLACE, 'open sesame', nonce())
    expect(sealed).toMatch(/^v1\.[0-9a-f]{8}\.[\w-]{16}\.[\w-]+$/)
    expect(sealed.split('.')[1]).toBe(secrets.keyId)
    expect(Buffer.from(sealed.split('.')[3] ?? '', 'base64url').includes('sesame')).toBe(false)
  })

  test('is another text each time', () => {
    const secrets = createSecrets(key())
    const texts = Array.from({ length: 100 }, () => secrets.seal(PLACE, 'same', nonce()))
    expect(new Set(texts).size).toBe(100)
  })

  test('copied to another table, column or row does not open', () => {
    const secrets = createSecrets(key())
    const sealed = secrets.seal(PLACE, 'mine', nonce())
    for (const elsewhere of [
      { ...PLACE, table: 'providers' },
      { ...PLACE, column: 'other' },
      { ...PLACE, row: 8 },
      { ...PLACE, row: 77 },
    ]) {
      expect(() => secrets.open(elsewhere, sealed)).toThrow()
    }
  })

  test('does not open with another key, and the error names the place and not the secret', () => {
    const sealed = createSecrets(key()).seal(PLACE, 'mine', nonce())
    const other = createSecrets(key())
    expect(() => other.open(PLACE, sealed)).toThrow(
      'realms.webhook_secret_sealed is sealed by a key that is not here',
    )
    // Nor by a key that pretends to be the one.
    const forged = sealed.replace(/^v1\.[0-9a-f]{8}/, `v1.${other.keyId}`)
    expect(() => other.open(PLACE, forged)).toThrow()
  })

  test('with any one bit of nonce or data turned does not open', () => {
    const secrets = createSecrets(key())
    const parts = secrets.seal(PLACE, 'mine', nonce()).split('.')
    let tried = 0
    for (const part of [2, 3]) {
      const bytes = Buffer.from(parts[part] ?? '', 'base64url')
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const turned = Buffer.from(bytes)
        const at = bit >> 3
        turned[at] = (turned[at] ?? 0) ^ (1 << (bit & 7))
        const text = parts.with(part, turned.toString('base64url')).join('.')
        expect(() => secrets.open(PLACE, text)).toThrow()
        tried++
      }
    }
    expect(tried).toBe((12 + 4 + 16) * 8)
  })

  test('cut short does not open, not even where nothing but part of its proof is left', () => {
    const secrets = createSecrets(key())
    for (const plain of ['', 'mine']) {
      const parts = secrets.seal(PLACE, plain, nonce()).split('.')
      const bytes = Buffer.from(parts[3] ?? '', 'base64url')
      for (let length = 0; length < bytes.length; length++) {
        const cut = parts.with(3, bytes.subarray(0, length).toString('base64url')).join('.')
        expect(() => secrets.open(PLACE, cut)).toThrow()
      }
    }
    for (const text of ['', 'v1', 'v1...', 'plain', `v2${withoutVersion(secrets)}`]) {
      expect(() => secrets.open(PLACE, text)).toThrow()
    }
  })

  test('of the previous key opens still, and new ones are sealed by the current one', () => {
    const [old, older, current] = [key(), key(), key()]
    const sealedOld = createSecrets(old).seal(PLACE, 'from before', nonce())
    const sealedOlder = createSecrets(older).seal(PLACE, 'from long before', nonce())
    const secrets = createSecrets(current, [old, older])
    expect(secrets.open(PLACE, sealedOld)).toBe('from before')
    expect(secrets.open(PLACE, sealedOlder)).toBe('from long before')
    const fresh = secrets.seal(PLACE, 'now', nonce())
    expect(createSecrets(current).open(PLACE, fresh)).toBe('now')
    expect(() => createSecrets(old).open(PLACE, fresh)).toThrow()
  })

  test('needs a nonce of twelve bytes', () => {
    const secrets = createSecrets(key())
    for (const length of [0, 11, 13]) {
      expect(() => secrets.seal(PLACE, 'x', new Uint8Array(length))).toThrow(InvariantError)
    }
  })
})

function withoutVersion(secrets: ReturnType<typeof createSecrets>): string {
  return secrets.seal(PLACE, 'x', nonce()).slice(2)
}

describe('keys', () => {
  test('have 32 bytes, the previous ones too', () => {
    for (const length of [0, 16, 31, 33]) {
      expect(() => createSecrets(new Uint8Array(length))).toThrow(InvariantError)
      expect(() => createSecrets(key(), [new Uint8Array(length)])).toThrow(InvariantError)
    }
  })

  test('derive another subkey for each purpose, the same after a restart, and none is the root', () => {
    const root = key()
    const [first, second] = [createSecrets(root), createSecrets(root)]
    const subkeys = PURPOSES.map(purpose => first.subkey(purpose).toString('hex'))
    expect(new Set([...subkeys, Buffer.from(root).toString('hex')]).size).toBe(PURPOSES.length + 1)
    expect(PURPOSES.map(purpose => second.subkey(purpose).toString('hex'))).toEqual(subkeys)
    expect(first.subkey('urls')).toHaveLength(32)
  })

  test('are named by an id that is stable, differs, and is no part of the key', () => {
    const root = key()
    const { keyId } = createSecrets(root)
    expect(createSecrets(root).keyId).toBe(keyId)
    expect(createSecrets(key()).keyId).not.toBe(keyId)
    expect(Buffer.from(root).toString('hex')).not.toContain(keyId)
    expect(sha256Hex(root)).not.toStartWith(keyId)
  })
})

describe('a signature', () => {
  test('is HMAC-SHA256 by the key of its purpose', () => {
    const secrets = createSecrets(key())
    const expected = createHmac('sha256', secrets.subkey('urls')).update('a message').digest()
    expect(secrets.hmac('urls', 'a message').equals(expected)).toBe(true)
    expect(secrets.hmac('callbacks', 'a message').equals(expected)).toBe(false)
    expect(secrets.hmac('urls', 'a messagE').equals(expected)).toBe(false)
  })

  test('of an earlier key is among those that verify, the current one first', () => {
    const [old, current] = [key(), key()]
    const secrets = createSecrets(current, [old])
    const both = secrets.hmacs('urls', 'm').map(mark => mark.toString('hex'))
    expect(both).toEqual([
      createSecrets(current).hmac('urls', 'm').toString('hex'),
      createSecrets(old).hmac('urls', 'm').toString('hex'),
    ])
  })

  test('is compared whole, and lengths that differ are no error', () => {
    const bytes = randomBytes(32)
    expect(sameBytes(bytes, Buffer.from(bytes))).toBe(true)
    expect(sameBytes(bytes, bytes.subarray(1))).toBe(false)
    expect(sameBytes(bytes, randomBytes(32))).toBe(false)
    expect(sameBytes(new Uint8Array(), new Uint8Array())).toBe(true)
  })
})

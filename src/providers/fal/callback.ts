import { createHash, createPublicKey, verify } from 'node:crypto'
import { HOUR, MINUTE, SECOND } from '@/base/clock'
import { ProviderError } from '../errors'
import type { CallbackContext, CallbackHint } from '../spec'
import { Keys } from './answers'
import type { FalHosts } from './hosts'

/**
 * Reads what fal posts when a request has ended: Ed25519 over the request's id, the account, the time and the
 * hash of the raw body, by one of the keys that fal publishes. Throws ProviderError `rejected` for what is
 * forged or more than five minutes off, `unknown_outcome` while the keys cannot be had. It names no
 * operation: the addresses of a request follow from its endpoint, of which nothing is said.
 */
export function createCallbackReader(hosts: FalHosts) {
  let kept: KeySet = { keys: [], fetchedAtMs: Number.NEGATIVE_INFINITY }

  return async (rawBody: Uint8Array, headers: Headers, ctx: CallbackContext) => {
    const signed = readHeaders(headers)
    if (Math.abs(ctx.nowMs - Number(signed.timestamp) * SECOND) > TOLERANCE_MS)
      throw refusal('is not of now')
    const message = messageOf(signed, rawBody)
    if (ctx.nowMs - kept.fetchedAtMs > KEYS_KEPT_MS) kept = await fetchKeys(hosts, ctx)
    if (!isSigned(message, signed.signature, kept)) {
      // They may have changed their keys since; but not as often as somebody may try their luck.
      const isFresh = ctx.nowMs - kept.fetchedAtMs < REFETCH_AFTER_MS
      if (!isFresh) kept = await fetchKeys(hosts, ctx)
      if (isFresh || !isSigned(message, signed.signature, kept))
        throw refusal('is signed by no key')
    }
    // Only ends are posted, and again until we take them; the body is no result, so it is not looked at.
    return { eventId: signed.requestId, isFinal: true } satisfies CallbackHint
  }
}

const TOLERANCE_MS = 5 * MINUTE
const KEYS_KEPT_MS = 24 * HOUR
const REFETCH_AFTER_MS = MINUTE
const KEYS_TIMEOUT_MS = 10 * SECOND
const KEYS_MAX_BYTES = 64 * 1024

type KeySet = { keys: string[]; fetchedAtMs: number }
type Signed = { requestId: string; userId: string; timestamp: string; signature: string }

function readHeaders(headers: Headers): Signed {
  const read = (name: string, form: RegExp) => {
    const value = headers.get(`x-fal-webhook-${name}`) ?? ''
    if (!form.test(value)) throw refusal(`has no ${name}`)
    return value
  }
  return {
    requestId: read('request-id', /^[\x21-\x7e]{1,200}$/),
    userId: read('user-id', /^[\x21-\x7e]{1,200}$/),
    timestamp: read('timestamp', /^\d{1,12}$/),
    signature: read('signature', /^[0-9a-f]{128}$/i),
  }
}

function messageOf({ requestId, userId, timestamp }: Signed, rawBody: Uint8Array): Buffer {
  const hash = createHash('sha256').update(rawBody).digest('hex')
  return Buffer.from([requestId, userId, timestamp, hash].join('\n'))
}

function isSigned(message: Buffer, signature: string, { keys }: KeySet): boolean {
  return keys.some(x => {
    try {
      const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
      return verify(null, message, key, Buffer.from(signature, 'hex'))
    } catch {
      // A key of another kind among them.
      return false
    }
  })
}

async function fetchKeys(hosts: FalHosts, ctx: CallbackContext): Promise<KeySet> {
  try {
    const response = await ctx.fetch(`${hosts.rest}/.well-known/jwks.json`, {
      timeoutMs: KEYS_TIMEOUT_MS,
      maxBytes: KEYS_MAX_BYTES,
    })
    const { keys } = Keys.parse(JSON.parse(await response.text()))
    return { keys: keys.flatMap(({ x }) => x ?? []), fetchedAtMs: ctx.nowMs }
  } catch (error) {
    throw new ProviderError('unknown_outcome', 'the keys of fal cannot be had', { cause: error })
  }
}

function refusal(why: string): ProviderError {
  return new ProviderError('rejected', `the callback ${why}`, { reason: 'input' })
}

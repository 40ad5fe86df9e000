import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { DAY, MINUTE, SECOND } from '@/base/clock'
import { sameBytes } from '@/base/secrets'
import { ProviderError } from '../errors'
import { errorOfStatus, parseJson } from '../http'
import type { CallbackContext, CallbackHint } from '../spec'
import { ask } from './ask'
import { isEnded } from './prediction'

/**
 * Reads callbacks of the accounts whose key it is given. It names no operation, for the body does not say
 * what was asked for, nor of which other predictions the attempt has: a lost start is found by `find`. Each account signs with one secret, which is
 * asked for once and kept a day. A signature that does not fit is checked once more against a fresh
 * secret, as the old one may have been replaced, but at most once a minute.
 */
export function createCallbackReader(baseUrl: string) {
  const secrets = new Map<string, { secret: Uint8Array; fetchedAtMs: number }>()

  return async (rawBody: Uint8Array, headers: Headers, ctx: CallbackContext) => {
    const signed = readHeaders(headers, ctx.nowMs)
    if (!isSigned(signed, rawBody, await secretOf(ctx, KEPT_MS))) {
      if (!isSigned(signed, rawBody, await secretOf(ctx, REFETCH_MS))) {
        throw refusal('is signed by another secret')
      }
    }
    return read(signed.id, rawBody)
  }

  async function secretOf(ctx: CallbackContext, keptMs: number): Promise<Uint8Array> {
    const account = ctx.apiKey ?? ''
    const known = secrets.get(account)
    if (known && Math.abs(ctx.nowMs - known.fetchedAtMs) < keptMs) return known.secret
    const secret = await fetchSecret(baseUrl, ctx)
    // Keys change now and then and a process lives long; nobody has so many accounts at once.
    if (secrets.size >= MAX_ACCOUNTS) secrets.clear()
    secrets.set(account, { secret, fetchedAtMs: ctx.nowMs })
    return secret
  }
}

const KEPT_MS = DAY
const REFETCH_MS = MINUTE
const TOLERANCE_MS = 5 * MINUTE
const MAX_ACCOUNTS = 16
const MAX_SECRET_ANSWER_BYTES = 64 * 1024

type Signed = { id: string; timestamp: string; signatures: string[] }

function readHeaders(headers: Headers, nowMs: number): Signed {
  const id = headers.get('webhook-id')
  const timestamp = headers.get('webhook-timestamp') ?? ''
  const signature = headers.get('webhook-signature')
  if (!id || !signature || !/^\d{1,12}$/.test(timestamp)) throw refusal('has no signature')
  if (Math.abs(nowMs - Number(timestamp) * SECOND) > TOLERANCE_MS) throw refusal('is not of now')
  return { id, timestamp, signatures: signature.split(' ').slice(0, MAX_SIGNATURES) }
}

/** Two while a secret is being replaced. */
const MAX_SIGNATURES = 8

function isSigned({ id, timestamp, signatures }: Signed, body: Uint8Array, secret: Uint8Array) {
  const mac = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest()
  const expected = Buffer.from(`v1,${mac.toString('base64')}`)
  // All of them are compared, so that the time says nothing of which one fits.
  return signatures.filter(given => sameBytes(expected, Buffer.from(given))).length > 0
}

async function fetchSecret(baseUrl: string, ctx: CallbackContext): Promise<Uint8Array> {
  const answer = await ask(ctx, {
    url: `${baseUrl}/webhooks/default/secret`,
    maxBytes: MAX_SECRET_ANSWER_BYTES,
  })
  const key = Secret.safeParse(answer.json).data?.key
  if (answer.status !== 200 || key === undefined) {
    // The secret is not for the log, so nothing of an answer that has one in some other shape is.
    throw errorOfStatus(answer, 'the signing secret could not be read')
  }
  return Buffer.from(key.slice(SECRET_PREFIX.length), 'base64')
}

const SECRET_PREFIX = 'whsec_'
const Secret = z.object({ key: z.string().regex(/^whsec_[A-Za-z0-9+/]{16,}=*$/) })
const Body = z.object({ id: z.string().min(1), status: z.string() })

function read(eventId: string, rawBody: Uint8Array): CallbackHint {
  const body = Body.safeParse(parseJson(Buffer.from(rawBody).toString('utf8')))
  if (!body.success) throw refusal('says nothing of a prediction')
  return { eventId, isFinal: isEnded(body.data.status) }
}

function refusal(why: string): ProviderError {
  return new ProviderError('rejected', `the callback ${why}`, { reason: 'input' })
}

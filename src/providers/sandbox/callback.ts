import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { MINUTE, SECOND } from '@/base/clock'
import { sameBytes } from '@/base/secrets'
import { ProviderError } from '../errors'
import { parseJson } from '../http'
import type { CallbackHint } from '../spec'

export const SANDBOX_SIGNATURE_HEADER = 'x-sandbox-signature'

/**
 * What a vendor that plays the sandbox posts: `x-sandbox-signature: t=<unix seconds>,v1=<hex HMAC-
 * SHA256 of "<t>.<body>">`.
 */
export function signSandboxCallback(
  hint: CallbackHint,
  { apiKey, nowMs }: CallbackKey,
): { body: string; headers: Record<string, string> } {
  const body = JSON.stringify({ event_id: hint.eventId, is_final: hint.isFinal })
  const seconds = Math.floor(nowMs / SECOND)
  const signature = macOf(apiKey, `${seconds}.`, Buffer.from(body)).toString('hex')
  return { body, headers: { [SANDBOX_SIGNATURE_HEADER]: `t=${seconds},v1=${signature}` } }
}

/**
 * Throws ProviderError `rejected` for a callback that is forged, older or newer than five minutes,
 * or no JSON.
 */
export function readSandboxCallback(
  rawBody: Uint8Array,
  headers: Headers,
  { apiKey, nowMs }: CallbackKey,
): CallbackHint {
  const [, seconds, signature] = SIGNATURE.exec(headers.get(SANDBOX_SIGNATURE_HEADER) ?? '') ?? []
  if (!seconds || !signature) throw refusal('has no signature')
  const expected = macOf(apiKey, `${seconds}.`, rawBody)
  if (!sameBytes(expected, Buffer.from(signature, 'hex'))) throw refusal('is signed by another key')
  if (Math.abs(nowMs - Number(seconds) * SECOND) > TOLERANCE_MS) throw refusal('is not of now')
  const body = Body.safeParse(parseJson(Buffer.from(rawBody).toString('utf8')))
  if (!body.success) throw refusal('says nothing that we know')
  return { eventId: body.data.event_id, isFinal: body.data.is_final }
}

type CallbackKey = { apiKey: string | null; nowMs: number }

const SIGNATURE = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/
const TOLERANCE_MS = 5 * MINUTE
const Body = z.object({ event_id: z.string().min(1), is_final: z.boolean() })
/**
 * No secret: a sandbox without a key of its own has nothing to protect, and a callback is only a
 * hint to poll.
 */
const KEY_WITHOUT_A_KEY = 'sandbox'

function macOf(apiKey: string | null, prefix: string, body: Uint8Array): Buffer {
  return createHmac('sha256', apiKey ?? KEY_WITHOUT_A_KEY)
    .update(prefix)
    .update(body)
    .digest()
}

function refusal(why: string): ProviderError {
  return new ProviderError('rejected', `the callback ${why}`, { reason: 'input' })
}

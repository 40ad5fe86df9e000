import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { MINUTE, SECOND } from '@/base/clock'
import { sameBytes } from '@/base/secrets'
import { ProviderError } from '../errors'
import { parseJson } from '../http'
import type { CallbackContext, CallbackHint } from '../spec'
import { VIDEO_ENDS } from './answers'

/**
 * Reads `X-OpenRouter-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>,<body>">`, with a comma where
 * others have a point. So says the vendor's own page on callbacks for videos, with a sender and a receiver
 * in code; no call of the real vendor was seen. The secret is one of the workspace, which an operator copies
 * from the vendor's settings: without it nothing can be believed.
 *
 * Throws `rejected` for a callback that is forged, older or newer than five minutes, or about no video. It
 * speaks of one video by its id, and that is less than an operation is made of, so it names none.
 */
export function readCallback(
  rawBody: Uint8Array,
  headers: Headers,
  { webhookSecret, nowMs }: Pick<CallbackContext, 'webhookSecret' | 'nowMs'>,
): CallbackHint {
  if (!webhookSecret) throw refusal('cannot be checked: there is no secret')
  const fields = (headers.get('x-openrouter-signature') ?? '').split(',').map(field => field.trim())
  const [seconds] = fields.flatMap(field => /^t=(\d{1,12})$/.exec(field)?.[1] ?? [])
  const [signature] = fields.flatMap(field => /^v1=([0-9a-f]{64})$/.exec(field)?.[1] ?? [])
  if (!seconds || !signature) throw refusal('has no signature')
  const expected = createHmac('sha256', webhookSecret)
    .update(`${seconds},`)
    .update(rawBody)
    .digest()
  if (!sameBytes(expected, Buffer.from(signature, 'hex'))) {
    throw refusal('is signed by another secret')
  }
  if (Math.abs(nowMs - Number(seconds) * SECOND) > TOLERANCE_MS) throw refusal('is not of now')
  const body = Body.safeParse(parseJson(Buffer.from(rawBody).toString('utf8')))
  if (!body.success) throw refusal('says nothing of a video')
  const { id, status } = body.data.data
  // What the vendor names its events by as well, but in a header, which nobody signed.
  return { eventId: `${id}-${status}`, isFinal: VIDEO_ENDS.has(status) }
}

const TOLERANCE_MS = 5 * MINUTE
const Body = z.object({
  data: z.object({ id: z.string().min(1).max(200), status: z.string().min(1).max(50) }),
})

function refusal(why: string): ProviderError {
  return new ProviderError('rejected', `the callback ${why}`, { reason: 'input' })
}

import { jitter } from '@/base/backoff'
import { HOUR, MINUTE, SECOND } from '@/base/clock'
import { type EventId, formatId } from '@/base/ids'
import { BlockedDestination, FetchFailure } from '@/base/safe-fetch'
import type { Tx } from '@/db/write'
import type { Deps } from '@/deps'
import { finish, snooze } from '@/queue/finish'
import type { Claim } from '@/queue/task'
import { sign } from './sign'

/** When the next try comes after a failed one; after the last nobody tries any more. Eight tries in all. */
export const TRY_AFTER_MS = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  10 * HOUR,
]
const JITTER = 0.1
const TIMEOUT_MS = 15 * SECOND
/** Receivers answer with little; what is kept is for a person to read. */
const ANSWER_BYTES = 64 * 1024
const ANSWER_KEPT = 2_048

export type Message = { eventId: EventId; url: string; body: string; secret: string }
export type Tried = {
  status: number | null
  error: string | null
  answer: string | null
  /** It would end the same way for ever. */
  isFinal: boolean
}

/** One signed POST, to an app or to the operator. Whatever happens is an answer. */
export async function tryToSend(
  deps: Deps,
  { eventId, url, body, secret }: Message,
  signal: AbortSignal,
): Promise<Tried> {
  const message = {
    id: formatId('event', eventId),
    wallSeconds: Math.floor(deps.clock.wall() / 1000),
    body,
  }
  try {
    const response = await deps.fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'ai-backend-hub',
        ...sign(secret, message),
      },
      body,
      timeoutMs: TIMEOUT_MS,
      maxBytes: ANSWER_BYTES,
      signal,
    })
    const answer = (await response.text().catch(() => '')).slice(0, ANSWER_KEPT)
    return { status: response.status, error: null, answer, isFinal: false }
  } catch (error) {
    if (error instanceof BlockedDestination) {
      return { status: null, error: error.code, answer: null, isFinal: true }
    }
    const code = error instanceof FetchFailure ? error.code : 'failed'
    return { status: null, error: code, answer: null, isFinal: false }
  }
}

export function isDelivered({ status }: Tried): boolean {
  return status !== null && status >= 200 && status < 300
}

/** Orders the next try after `tries` earlier ones and this, where there is one. Answers whether there is. */
export function again(tx: Tx, claim: Claim, tries: number, tried: Tried): boolean {
  const waitMs = TRY_AFTER_MS[tries]
  const isOver = isDelivered(tried) || tried.isFinal || waitMs === undefined
  if (isOver) finish(tx, claim)
  else snooze(tx, claim, tx.now + jitter(waitMs, tx.random(), JITTER))
  return !isOver
}

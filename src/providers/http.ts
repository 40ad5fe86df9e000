import { BlockedDestination, FetchFailure } from '@/base/safe-fetch'
import { ProviderError } from './errors'
import type { ProviderContext, ProviderFetchInit } from './spec'

/** A vendor's answer, read whole. `json` is null when the body is none. */
export type VendorAnswer = { status: number; headers: Headers; json: unknown; text: string }

export type VendorCall = ProviderFetchInit & { url: string; json?: unknown }

/** An answer with inline pictures may be tens of megabytes; a vendor's error page is never that long. */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024
const MESSAGE_KEPT = 500

/**
 * One call. Throws ProviderError for what happened on the way: `unavailable` when surely nothing reached
 * the vendor, else `unknown_outcome`. Every status comes back as an answer: what it means is the adapter's.
 */
export async function call(ctx: ProviderContext, request: VendorCall): Promise<VendorAnswer> {
  const { url, json, headers, ...init } = request
  try {
    const response = await ctx.fetch(url, {
      maxBytes: MAX_ANSWER_BYTES,
      ...init,
      headers: {
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, json: parse(text), text }
  } catch (error) {
    throw onTheWay(error)
  }
}

/**
 * What a status means where the vendor's body says nothing better. Trouble with our key, our credit or the
 * model's name is `unavailable`: not the caller's fault, and another vendor may serve. A gateway that gave
 * up (408, 502, 504, 524) does not know whether the vendor behind it has begun.
 */
export function errorOfStatus(answer: VendorAnswer, message = answer.text): ProviderError {
  const { status } = answer
  const told = `${status}: ${message.slice(0, MESSAGE_KEPT)}`
  const retryAfterMs = retryAfterOf(answer.headers)
  const options = retryAfterMs === null ? {} : { retryAfterMs }
  if (status === 429) return new ProviderError('rate_limited', told, options)
  if ([408, 502, 504, 524].includes(status))
    return new ProviderError('unknown_outcome', told, options)
  if (status >= 500 || [401, 402, 403, 404, 405, 409, 410].includes(status)) {
    return new ProviderError('unavailable', told, options)
  }
  if (status >= 400) return new ProviderError('rejected', told, { reason: 'input' })
  // A success that is not what the vendor documents: it may well have begun.
  return new ProviderError('unknown_outcome', told, options)
}

/**
 * The same while asking about an operation that is known to have begun: no status of a poll says that it
 * has ended, so all that is not a plain answer means "ask again". 404 and 410 do say it.
 */
export function errorOfPollStatus(answer: VendorAnswer, message = answer.text): ProviderError {
  const error = errorOfStatus(answer, message)
  if (answer.status === 404 || answer.status === 410) return error
  if (error.kind === 'rate_limited') return error
  const options = error.retryAfterMs === null ? {} : { retryAfterMs: error.retryAfterMs }
  return new ProviderError('unknown_outcome', error.message, options)
}

/** `Retry-After` in seconds or as a date, and OpenAI's `retry-after-ms`; null where it says nothing. */
export function retryAfterOf(headers: Headers): number | null {
  const ms = Number(headers.get('retry-after-ms') ?? Number.NaN)
  if (Number.isFinite(ms) && ms >= 0) return Math.ceil(ms)
  const text = headers.get('retry-after')
  if (text === null) return null
  if (/^\d+(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000)
  const date = Date.parse(text)
  const answeredAt = Date.parse(headers.get('date') ?? '')
  return Number.isNaN(date) || Number.isNaN(answeredAt) ? null : Math.max(date - answeredAt, 0)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function onTheWay(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error
  const isUnsent =
    error instanceof BlockedDestination || (error instanceof FetchFailure && !error.mayHaveBeenSent)
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new ProviderError(isUnsent ? 'unavailable' : 'unknown_outcome', message, { cause: error })
}

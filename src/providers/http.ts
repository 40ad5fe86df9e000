import { BlockedDestination, FetchFailure } from '@/base/safe-fetch'
import { MESSAGE_KEPT, ProviderError } from './errors'
import type { ProviderContext, ProviderFetchInit } from './spec'

/** A vendor's answer, read whole. `json` is null when the body is none. */
export type VendorAnswer = { status: number; headers: Headers; json: unknown; text: string }

export type VendorCall = ProviderFetchInit & { url: string; json?: unknown }

/** An answer with inline pictures may be tens of megabytes; a vendor's error page is never that long. */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024

/** Without a signal, as in a callback, only the timeout ends a call. */
export type CallContext = Pick<ProviderContext, 'fetch'> & Partial<Pick<ProviderContext, 'signal'>>
type AskContext = CallContext & Pick<ProviderContext, 'apiKey'>

/** How a vendor is spoken to with our key. */
export type Asker = {
  /** Throws `unavailable` for good without a key that could be sent, else like `call`. */
  ask(ctx: AskContext, request: VendorCall): Promise<VendorAnswer>
  /**
   * The same about something that has begun: nothing that happens on the way says that it ended, so what
   * would be `unavailable` is `unknown_outcome`, which means "ask again".
   */
  askAbout(ctx: AskContext, request: VendorCall): Promise<VendorAnswer>
}

/** `credentials` are the headers of every call, with the key among them. */
export function createAsker(
  vendor: string,
  credentials: (apiKey: string) => Record<string, string>,
): Asker {
  const ask: Asker['ask'] = async (ctx, request) => {
    // A key with a line break would turn up in the message of whoever refuses to send it.
    if (ctx.apiKey === null || !SENDABLE.test(ctx.apiKey)) {
      const message = `there is no usable key for ${vendor}`
      throw new ProviderError('unavailable', message, { isPermanent: true })
    }
    const headers = { ...request.headers, ...credentials(ctx.apiKey) }
    return withoutKey(await call(ctx, { ...request, headers }), ctx.apiKey)
  }
  return {
    ask,
    async askAbout(ctx, request) {
      try {
        return await ask(ctx, request)
      } catch (error) {
        if (!(error instanceof ProviderError) || error.kind !== 'unavailable') throw error
        throw new ProviderError('unknown_outcome', error.message, { cause: error })
      }
    },
  }
}

/**
 * A vendor may quote the key that it refuses, and what it says goes to the log. In JSON it may be written
 * with escapes, mostly of the slash, so what is read there is looked through as well.
 */
function withoutKey(answer: VendorAnswer, apiKey: string): VendorAnswer {
  // A refusal may come within a success, too; what was made is long and hardly ever quotes it.
  if (answer.status < 400 && !answer.text.includes(apiKey)) return answer
  const masked = (text: string) =>
    text.replaceAll(apiKey, '***').replaceAll(apiKey.replaceAll('/', '\\/'), '***')
  return {
    ...answer,
    text: masked(answer.text),
    json: parseJson(answer.text, value => (typeof value === 'string' ? masked(value) : value)),
  }
}

const SENDABLE = /^[\x21-\x7e]+$/

/**
 * One call, which ends when the signal of the context says so. Throws ProviderError for what happened on the
 * way: `unavailable` when surely nothing reached the vendor, else `unknown_outcome`. Every status comes back
 * as an answer: what it means is the adapter's.
 */
export async function call(ctx: CallContext, request: VendorCall): Promise<VendorAnswer> {
  const { url, json, headers, ...init } = request
  const { signal } = ctx
  try {
    signal?.throwIfAborted()
    const response = await ctx.fetch(url, {
      maxBytes: MAX_ANSWER_BYTES,
      ...init,
      ...(signal ? { signal } : {}),
      headers: {
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, json: parseJson(text), text }
  } catch (error) {
    // Whoever stops listening does not know what the vendor does next, also where nothing had left yet.
    if (!signal?.aborted) throw onTheWay(error)
    throw new ProviderError('unknown_outcome', 'we stopped waiting for the answer', {
      cause: error,
    })
  }
}

/**
 * What a status means where the vendor's body says nothing better. Trouble with our key, our credit or the
 * model's name is `unavailable`: not the caller's fault, and another vendor may serve. A gateway that gave
 * up (408, 502, 504, 524) does not know whether the vendor behind it has begun.
 */
export function errorOfStatus(answer: VendorAnswer, message = answer.text): ProviderError {
  const { status } = answer
  // Of an answer that should have been a success nothing is kept: it may hold the prompt, or a key.
  const kept = status >= 400 ? message.slice(0, MESSAGE_KEPT) : 'an answer that cannot be read'
  const told = `${status}: ${kept}`
  const retryAfterMs = retryAfterOf(answer.headers)
  const isPermanent = PERMANENT.includes(status)
  const options = { isPermanent, ...(retryAfterMs === null ? {} : { retryAfterMs }) }
  if (status === 429) return new ProviderError('rate_limited', told, options)
  if ([408, 502, 504, 524].includes(status))
    return new ProviderError('unknown_outcome', told, options)
  if (status >= 500 || isPermanent || status === 409) {
    return new ProviderError('unavailable', told, options)
  }
  if (status >= 400) return new ProviderError('rejected', told, { reason: 'input' })
  // A success that is not what the vendor documents: it may well have begun.
  return new ProviderError('unknown_outcome', told, options)
}

/** Our key, our credit, or a name that the vendor does not know: asking again changes none of them. */
const PERMANENT = [401, 402, 403, 404, 405, 410]

/**
 * The same while asking about an operation that is known to have begun: no status of a poll says that it
 * has ended, so all that is not a plain answer means "ask again". 404 and 410 do say it, but of this one
 * operation only: a new one may fare better, so they are not for good.
 */
export function errorOfPollStatus(answer: VendorAnswer, message = answer.text): ProviderError {
  const error = errorOfStatus(answer, message)
  if (answer.status === 404 || answer.status === 410) {
    return new ProviderError('unavailable', error.message)
  }
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

/** Null for what is no JSON. `revive` may change each value on the way. */
export function parseJson(text: string, revive?: (value: unknown) => unknown): unknown {
  try {
    return JSON.parse(text, revive && ((_, value) => revive(value)))
  } catch {
    return null
  }
}

/**
 * Whether an address out of a vendor's answer may be called with the key: the origin decides who reads it.
 */
export function mayHaveKey(baseUrl: string, address: string): boolean {
  const url = URL.parse(address)
  if (url === null || url.origin !== new URL(baseUrl).origin) return false
  return url.username === '' && url.password === ''
}

function onTheWay(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error
  const isUnsent =
    error instanceof BlockedDestination || (error instanceof FetchFailure && !error.mayHaveBeenSent)
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new ProviderError(isUnsent ? 'unavailable' : 'unknown_outcome', message, { cause: error })
}

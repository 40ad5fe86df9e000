/**
 * The four ways a provider says no. Routing, retries and refunds switch on `kind` and on nothing else,
 * so an adapter's whole error handling is choosing one of these.
 *
 * - `rejected`         their final no (bad input, content policy). Refund, never retried elsewhere.
 * - `rate_limited`     surely not started; may be tried again after `retryAfterMs`.
 * - `unavailable`      surely not started; another provider may try now.
 * - `unknown_outcome`  may have started (timeout, reset in mid-answer). Wait for it or ask; never start it twice.
 */
export type ProviderErrorKind = 'rejected' | 'rate_limited' | 'unavailable' | 'unknown_outcome'

/** Why a `rejected` was rejected; decides the caller's `error_code`. */
export type RejectReason = 'content' | 'input'

export type ProviderErrorOptions = {
  retryAfterMs?: number
  reason?: RejectReason
  /** This vendor will say the same to this job however often it is asked: no key, no credit, no such model. */
  isPermanent?: boolean
  /** What the vendor charges although it made nothing. */
  costMicroUsd?: number
  cause?: unknown
}

export class ProviderError extends Error {
  override readonly name = 'ProviderError'
  readonly retryAfterMs: number | null
  readonly reason: RejectReason
  readonly isPermanent: boolean
  readonly costMicroUsd: number | null

  /** `message` is for our logs: it may hold the vendor's own text and is never shown to a caller. */
  constructor(
    readonly kind: ProviderErrorKind,
    message: string,
    options: ProviderErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.retryAfterMs = options.retryAfterMs ?? null
    this.reason = options.reason ?? 'input'
    this.isPermanent = options.isPermanent ?? kind === 'rejected'
    this.costMicroUsd = options.costMicroUsd ?? null
  }
}

/** What of a vendor's own text is kept: a sentence for a person, not a page of HTML. */
export const MESSAGE_KEPT = 500

/** An error whose message is the vendor's, cut. */
export function told(
  kind: ProviderErrorKind,
  message: string,
  options: ProviderErrorOptions = {},
): ProviderError {
  return new ProviderError(kind, message.slice(0, MESSAGE_KEPT), options)
}

/** Anything an adapter throws that is not a ProviderError may have happened after the start: it is unknown. */
export function toProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new ProviderError('unknown_outcome', message, { cause: error })
}

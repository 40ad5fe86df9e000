import { ProviderError } from '../errors'
import { call, type VendorAnswer } from '../http'
import type { ProviderContext } from '../spec'

export type Question = {
  url: string
  method?: 'GET' | 'POST'
  json?: unknown
  headers?: Record<string, string>
  maxBytes?: number
}

/**
 * One call with the account's key, which ends when the attempt's signal says so. Throws ProviderError:
 * `unavailable` without a key that could be sent, `unknown_outcome` when it was interrupted.
 */
export async function ask(ctx: ProviderContext, question: Question): Promise<VendorAnswer> {
  const { apiKey, signal } = ctx
  // A key with a line break would turn up in the message of whoever refuses to send it.
  if (apiKey === null || !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new ProviderError('unavailable', 'there is no usable key for Replicate')
  }
  if (signal.aborted) throw interrupted(signal.reason)
  const headers = { ...question.headers, authorization: `Bearer ${apiKey}` }
  const request = { ...question, headers, signal }
  return await call(ctx, request).catch(error => {
    throw signal.aborted ? interrupted(error) : error
  })
}

/**
 * The same about something that has begun: not even a name that cannot be resolved says that it ended,
 * so `unavailable` becomes `unknown_outcome`, which means "ask again".
 */
export async function askAgain(ctx: ProviderContext, question: Question): Promise<VendorAnswer> {
  return await ask(ctx, question).catch((error: unknown) => {
    if (!(error instanceof ProviderError) || error.kind !== 'unavailable') throw error
    throw new ProviderError('unknown_outcome', error.message, { cause: error })
  })
}

/** Whoever stops listening does not know what the vendor does next. */
function interrupted(cause: unknown): ProviderError {
  return new ProviderError('unknown_outcome', 'the call was interrupted', { cause })
}

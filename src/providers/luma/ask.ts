import { ProviderError } from '../errors'
import { call, type VendorAnswer } from '../http'
import type { ProviderContext } from '../spec'

export type Question = {
  url: string
  method?: 'GET' | 'POST' | 'DELETE'
  json?: unknown
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
    throw new ProviderError('unavailable', 'there is no usable key for Luma')
  }
  if (signal.aborted) throw interrupted(signal.reason)
  const headers = { accept: 'application/json', authorization: `Bearer ${apiKey}` }
  const request = { maxBytes: MAX_ANSWER_BYTES, ...question, headers, signal }
  return await call(ctx, request).catch(error => {
    throw signal.aborted ? interrupted(error) : error
  })
}

/** Answers hold addresses and never what was made. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024

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

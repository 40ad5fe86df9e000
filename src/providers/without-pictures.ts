import { ProviderError } from './errors'
import type { Provider } from './spec'

/**
 * The provider as it is, but for what its errors quote: vendors repeat in a refusal what they were sent, and
 * messages go to the log and into rows. Nobody's picture belongs there, and not the first part of it either.
 */
export function withoutPictures(provider: Provider): Provider {
  const { poll } = provider
  return {
    ...provider,
    start: (input, ctx) => provider.start(input, ctx).catch(rethrow),
    ...(poll ? { poll: (operation, ctx) => poll(operation, ctx).catch(rethrow) } : {}),
  }
}

/** A `data:` URL as far as it was quoted, and base64 alone, which is what the inner of one is sent as. */
const QUOTED = /data:[\w/+.-]{0,64}(?:;[\w=-]{0,64}){0,4},[\w+/=%-]*|[A-Za-z0-9+/_-]{80,}={0,2}/gi

function rethrow(thrown: unknown): never {
  if (!(thrown instanceof ProviderError)) throw thrown
  const message = thrown.message.replace(QUOTED, '(a picture)')
  if (message === thrown.message) throw thrown
  const { kind, reason, isPermanent, retryAfterMs, costMicroUsd } = thrown
  // Without its cause, which may quote the same.
  throw new ProviderError(kind, message, {
    reason,
    isPermanent,
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
    ...(costMicroUsd === null ? {} : { costMicroUsd }),
  })
}

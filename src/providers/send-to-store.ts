import { ProviderError } from './errors'
import { call, errorOfStatus, type VendorCall } from './http'
import type { ProviderContext } from './spec'

/**
 * Sends a file to where a vendor's answer says that it may be put. Without the key: the address, or a field
 * of the form, is the right to write there, and whose host it is nobody promises. Throws ProviderError
 * `unavailable` for a refusal, and not for good: it is about that one right and says nothing about our key.
 */
export async function sendToStore(
  vendor: string,
  ctx: Pick<ProviderContext, 'fetch' | 'signal'>,
  request: VendorCall,
): Promise<void> {
  const answer = await call(ctx, request)
  if (answer.status >= 200 && answer.status <= 299) return
  const { kind, retryAfterMs } = errorOfStatus(answer)
  const message = `the store of ${vendor} answered ${answer.status}`
  if (kind !== 'rate_limited') throw new ProviderError('unavailable', message)
  throw new ProviderError(kind, message, retryAfterMs === null ? {} : { retryAfterMs })
}

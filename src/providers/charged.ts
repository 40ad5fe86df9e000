import { ProviderError } from './errors'

/** The error with what the vendor charges although it made nothing; as it was where that is not told. */
export function charged(error: ProviderError, costMicroUsd: number | null): ProviderError {
  if (costMicroUsd === null) return error
  const { kind, message, reason, isPermanent, retryAfterMs, cause } = error
  return new ProviderError(kind, message, {
    reason,
    isPermanent,
    costMicroUsd,
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
    ...(cause === undefined ? {} : { cause }),
  })
}

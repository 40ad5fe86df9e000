import type { ZodType } from 'zod'
import { ProviderError } from './errors'
import type { Operation } from './spec'

/** Throws `unknown_outcome` for an operation that is none of this vendor's: it can never be asked about. */
export function readOperation<T>(vendor: string, schema: ZodType<T>, operation: Operation): T {
  const result = schema.safeParse(operation)
  if (result.success) return result.data
  throw new ProviderError('unknown_outcome', `this is no operation of ${vendor}`, {
    cause: result.error,
  })
}

import type { ZodType } from 'zod'
import { ProviderError } from './errors'
import type { ProviderInput } from './spec'

/** Throws `rejected` for parameters that the vendor does not take from a caller, or that are set by us. */
export function checkParams(
  vendor: string,
  schema: ZodType,
  { params }: ProviderInput,
  reserved: ReadonlySet<string> = new Set(),
): void {
  const result = schema.safeParse(params)
  if (!result.success) {
    throw notFor(vendor, result.error.issues.map(({ message }) => message).join(', '))
  }
  const taken = Object.keys(params).filter(name => reserved.has(name))
  if (taken.length > 0) throw notFor(vendor, `${taken.join(', ')}: set by the hub`)
}

/** What this vendor cannot be asked for, so that it is not asked. */
export function notFor(vendor: string, why: string): ProviderError {
  return new ProviderError('rejected', `not for ${vendor}: ${why}`, { reason: 'input' })
}

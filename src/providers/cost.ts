import { z } from 'zod'
import type { ProviderInput, ProviderUsage, RouteConfig } from './spec'

/** What was made, as far as it is counted. `seconds` is missing where nobody told them. */
export type Made = { calls: number; outputs: number; seconds?: number | null }

/**
 * Micro-USD by the rates of the route, for vendors that do not tell what a call cost. Null where the
 * route has no rates, or has one by the second and the seconds are not known: unknown is not free.
 */
export function costMicroUsd(rates: RouteConfig['cost'] | null, made: Made): number | null {
  if (!rates) return null
  const { per_call = 0, per_output = 0, per_second = 0 } = rates
  const { calls, outputs, seconds } = made
  if (per_second > 0 && (seconds === undefined || seconds === null)) return null
  return Math.round(per_call * calls + per_output * outputs + per_second * (seconds ?? 0))
}

/** What an operation stores, so that its cost can be counted when it has ended. */
export const Price = z.object({
  /** Of one output, where a length was asked for. */
  seconds: z.number().nullable(),
  rates: z
    .object({
      per_output: z.number().exactOptional(),
      per_second: z.number().exactOptional(),
      per_call: z.number().exactOptional(),
    })
    .nullable(),
})
export type Price = z.infer<typeof Price>

export function priceOf({ extra, config }: ProviderInput): Price {
  const { duration_seconds: seconds } = extra
  return { seconds: typeof seconds === 'number' ? seconds : null, rates: config.cost ?? null }
}

/** Of one call. `worked` are the seconds that the vendor measured; null where it does not tell. */
export function usageOf(
  { seconds, rates }: Price,
  outputs: number,
  worked: number | null = null,
): ProviderUsage {
  // A rate by the second is one of the video where its length was asked for, else one of the machine.
  const billed = seconds === null ? worked : seconds * outputs
  const cost = costMicroUsd(rates, { calls: 1, outputs, seconds: billed })
  return {
    ...(worked === null ? {} : { seconds: worked }),
    ...(cost === null ? {} : { costMicroUsd: cost }),
  }
}

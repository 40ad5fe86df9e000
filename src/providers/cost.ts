import type { RouteConfig } from './spec'

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

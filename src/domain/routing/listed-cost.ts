import type { RouteConfig } from '@/providers/spec'

/**
 * What the vendor would charge by the rates of the route, in micro-USD; null where it has no rates, or one
 * by the second and no length is known. More outputs than one call makes are several calls.
 */
export function listedCost(
  { cost, outputs_per_call = Number.POSITIVE_INFINITY }: RouteConfig,
  asked: { outputs: number; seconds: number | null },
): number | null {
  if (!cost) return null
  const { per_call = 0, per_output = 0, per_second = 0 } = cost
  if (per_second > 0 && asked.seconds === null) return null
  const calls = Math.ceil(asked.outputs / outputs_per_call) || 1
  const seconds = (asked.seconds ?? 0) * asked.outputs
  return Math.round(per_call * calls + per_output * asked.outputs + per_second * seconds)
}

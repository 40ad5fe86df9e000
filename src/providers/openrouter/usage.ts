import { costMicroUsd } from '../cost'
import type { ProviderUsage, RouteConfig } from '../spec'
import type { Usage } from './answers'
import { microUsdOf } from './usd'

/** What one call used. Its cost is what the vendor tells, else what the route says of `made` outputs. */
export function usageOf(
  usage: Usage | null | undefined,
  rates: RouteConfig['cost'],
  made: { outputs: number; seconds?: number | null },
): ProviderUsage {
  const cost = toldCost(usage) ?? costMicroUsd(rates, { calls: 1, ...made })
  return {
    ...(typeof usage?.prompt_tokens === 'number' ? { inputTokens: usage.prompt_tokens } : {}),
    ...(typeof usage?.completion_tokens === 'number'
      ? { outputTokens: usage.completion_tokens }
      : {}),
    ...(cost === null ? {} : { costMicroUsd: cost }),
  }
}

/** With a key of our own at the vendor behind, its bill comes on top of the fee that is told as the cost. */
export function toldCost(usage: Usage | null | undefined): number | null {
  const cost = microUsdOf(usage?.cost)
  if (cost === null || usage?.is_byok !== true) return cost
  return cost + (microUsdOf(usage.cost_details?.upstream_inference_cost) ?? 0)
}

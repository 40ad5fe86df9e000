import { z } from 'zod'
import type { ModelId } from '@/base/ids'
import { type Setting, settingOf } from '@/domain/settings'
import { routesOf, usableRoutesOf, type With } from './candidates'
import { listedCost } from './listed-cost'

/** Ten cents: dearer than most pictures and texts. A model that costs more should have its rates listed. */
const USUAL_UNKNOWN_MICRO_USD = 100_000

/** Changed without a release. */
export const UNKNOWN_COST: Setting<number> = {
  name: 'budgets.unknown_cost_micro_usd',
  schema: z.int().min(0),
  usual: USUAL_UNKNOWN_MICRO_USD,
  description: 'What a job is taken to cost, in micro-USD, where no route of its model has a rate.',
}

/**
 * The most that one attempt may cost, micro-USD: by the rates of the dearest route that could serve it. A
 * route without rates is taken to be as dear as the dearest other one of the model: a cap that counted it
 * as nothing would not hold.
 */
export function worstCostOf(
  deps: With,
  modelId: ModelId,
  asked: { outputs: number; seconds: number | null },
): number {
  const costs = usableRoutesOf(deps, modelId).map(({ config }) => listedCost(config, asked))
  const known = costs.filter(cost => cost !== null)
  if (known.length === costs.length) return Math.max(0, ...known)
  const listed = routesOf(deps, modelId)
    .map(({ config }) => listedCost(config, asked))
    .filter(cost => cost !== null)
  return listed.length > 0 ? Math.max(...listed) : settingOf(deps, UNKNOWN_COST)
}

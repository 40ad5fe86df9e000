import { z } from 'zod'
import type { Setting } from '@/domain/settings'
import type { Strategy } from './strategy'

const weight = z.number().min(0).max(100)
const Weighing = z.strictObject({
  cost: weight,
  speed: weight,
  reliability: weight,
  quality: weight,
})

/** How much each strategy minds what. Only the proportions matter. */
export const Weights = z.strictObject({
  cheapest: Weighing,
  fastest: Weighing,
  balanced: Weighing,
  best: Weighing,
}) satisfies z.ZodType<Record<Exclude<Strategy, 'priority'>, unknown>>
export type Weights = z.infer<typeof Weights>

const USUAL_WEIGHTS: Weights = {
  cheapest: { cost: 1, speed: 0, reliability: 0, quality: 0 },
  fastest: { cost: 0, speed: 1, reliability: 0, quality: 0 },
  balanced: { cost: 3, speed: 3, reliability: 3, quality: 1 },
  best: { cost: 0.5, speed: 1, reliability: 2.5, quality: 6 },
}

/** Changed without a release. */
export const WEIGHTS: Setting<Weights> = {
  name: 'routing.weights',
  schema: Weights,
  usual: USUAL_WEIGHTS,
  description: 'How much each routing strategy minds cost, speed, reliability and quality.',
}

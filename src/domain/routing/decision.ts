import { z } from 'zod'
import { STRATEGIES } from './strategy'

/**
 * What became of each route that could have served, and why. One such record stands on every attempt.
 *
 * - `chosen`    serves it; `ready` could have, too, and comes after it or has had its try
 * - `resting`   failed too often, or named a time: until `until`
 * - `probing`   one job is finding out whether its rest is over: until `until`
 * - `full`      works on as many as it may
 * - `tried`     failed this job a moment ago: until `until`
 * - `refused`   failed this job for good
 */
export const VERDICTS = [
  'chosen',
  'ready',
  'resting',
  'probing',
  'full',
  'tried',
  'refused',
] as const

export const Considered = z.object({
  provider: z.string(),
  providerModel: z.string(),
  priority: z.int(),
  verdict: z.enum(VERDICTS),
  /** Milliseconds; null where no time is known. */
  until: z.int().nullable(),
  /** What the strategy made of it, 0 to 1; null where it was not weighed. */
  score: z.number().nullable(),
  success: z.number().nullable(),
  latencyMs: z.number().nullable(),
  costMicroUsd: z.number().nullable(),
  quality: z.number(),
  /** The last checks of its vendor failed. */
  isDown: z.boolean().default(false),
})
export type Considered = z.infer<typeof Considered>

export const Decision = z.object({
  strategy: z.enum(STRATEGIES),
  /** In the order of the strategy, those whose vendor is down last. */
  considered: z.array(Considered),
})
export type Decision = z.infer<typeof Decision>

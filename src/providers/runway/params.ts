import { z } from 'zod'

/**
 * `input.provider_params.runway`: what shapes an output without changing its price, its moderation or where
 * it goes. A list of what is allowed, because Runway's fields are few and most others cost credits
 * (`duration`, `resolution`, `quality`, `audio`, `outputCount`, `outputFormat`) or are the operator's to
 * decide (`contentModeration`).
 */
export const RunwayParams = z.strictObject({
  seed: z.json().exactOptional(),
  negativePrompt: z.json().exactOptional(),
  promptExpansionMode: z.json().exactOptional(),
  flavor: z.json().exactOptional(),
  sharpen: z.json().exactOptional(),
  smartGrain: z.json().exactOptional(),
  ultraDetail: z.json().exactOptional(),
})

import { z } from 'zod'
import type { ModelId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { RouteConfig } from '@/providers/spec'

const select = query<{ modelId: number; provider: string }, { config: string }>(
  `SELECT config FROM model_routes
   WHERE model_id = $modelId AND provider_id = (SELECT id FROM providers WHERE name = $provider)`,
)

/** A vendor's name with the form of its value behind it, or `...`; null leaves the field out. */
const Names = z.record(
  z.string(),
  z
    .string()
    .regex(/^(\.\.\.|[^\s:[\]]+(\[\]|:text|:seconds)?)$/)
    .nullable(),
)

/** Shapes only: what the words mean is the adapter's and the vendor's. */
const Config: z.ZodType<RouteConfig> = z.strictObject({
  with_images_model: z.string().exactOptional(),
  with_images_fields: Names.exactOptional(),
  fields: Names.exactOptional(),
  aspect_ratios: z.record(z.string(), z.json()).exactOptional(),
  output_formats: z.record(z.string(), z.string()).exactOptional(),
  constants: z.record(z.string(), z.json()).exactOptional(),
  outputs_per_call: z.int().min(1).exactOptional(),
  cost: z
    .strictObject({
      per_output: z.int().min(0).exactOptional(),
      per_second: z.int().min(0).exactOptional(),
      per_call: z.int().min(0).exactOptional(),
    })
    .exactOptional(),
  deadline_seconds: z.int().min(1).exactOptional(),
})

/** How a model is asked for at a provider; nothing special where no route says so, as for the sandbox. */
export function routeConfig(db: Db, modelId: ModelId, provider: string): RouteConfig {
  const row = select.get(db, { modelId, provider })
  return (row && readable(row.config)) ?? {}
}

/** A route that cannot be read takes nothing new on; what runs there goes on without its words. */
function readable(text: string): RouteConfig | null {
  try {
    return parseRouteConfig(text)
  } catch {
    return null
  }
}

export function parseRouteConfig(text: string): RouteConfig {
  return Config.parse(JSON.parse(text))
}

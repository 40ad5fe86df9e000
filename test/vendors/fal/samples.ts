import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

/**
 * One answer or message of fal as it is on the wire. `certainty`: S the official client's source, D an
 * official page, 3P what third parties saw, U unverified.
 */
export const Sample = z.strictObject({
  source: z.string().min(1),
  date: z.iso.date(),
  certainty: z.enum(['S', 'D', '3P', 'U']),
  status: z.int().min(100).max(599).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.json(),
})
export type Sample = z.infer<typeof Sample>

export const SAMPLES = join(import.meta.dir, 'samples')

export function sample(name: string): Sample {
  return Sample.parse(JSON.parse(readFileSync(join(SAMPLES, `${name}.json`), 'utf8')))
}

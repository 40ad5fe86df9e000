import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

/** An answer of the vendor, with where its form is known from and how well. */
const Sample = z.strictObject({
  source: z.string().min(1),
  date: z.iso.date(),
  /** S: official client source. D: official page. 3P: third parties' code or logs. U: inferred. */
  certainty: z.enum(['S', 'D', '3P', 'U']),
  status: z.int(),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.json(),
})
export type Sample = z.infer<typeof Sample>

const FOLDER = join(import.meta.dir, 'samples')

export function sample(name: string): Sample {
  return Sample.parse(JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')))
}

export function sampleNames(): string[] {
  return readdirSync(FOLDER)
    .map(file => file.replace(/\.json$/, ''))
    .sort()
}

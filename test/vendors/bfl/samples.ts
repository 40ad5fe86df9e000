import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

/**
 * `S` the vendor's own client, `D` its documentation, `3P` what others saw, `U` a guess that is marked
 * as one: the adapter must not need it.
 */
const Sample = z.strictObject({
  source: z.string().min(10),
  date: z.iso.date(),
  certainty: z.enum(['S', 'D', '3P', 'U']),
  body: z.json(),
})

const FOLDER = join(import.meta.dir, 'samples')

export const sampleNames = readdirSync(FOLDER).map(file => file.replace(/\.json$/, ''))

/** The body of a sample, a new copy each time. */
export function sample<T = { [key: string]: unknown }>(name: string): T {
  const text = readFileSync(join(FOLDER, `${name}.json`), 'utf8')
  return Sample.parse(JSON.parse(text)).body as T
}

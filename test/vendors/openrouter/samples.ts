import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

/** An answer of the vendor or a callback, with where its form is known from and how well. */
const Sample = z.strictObject({
  source: z.string().min(1),
  date: z.iso.date(),
  /** S: official client source. D: official page. 3P: third parties' code or logs. U: inferred. */
  certainty: z.enum(['S', 'D', '3P', 'U']),
  /** A callback has none. */
  status: z.int().default(200),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.json(),
})
export type Sample = z.infer<typeof Sample>

const FOLDER = join(import.meta.dir, 'samples')

export function sample(name: string): Sample {
  return Sample.parse(JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')))
}

export function answerNames(): string[] {
  return sampleNames().filter(name => !name.startsWith('callback-'))
}

export function callbackNames(): string[] {
  return sampleNames().filter(name => name.startsWith('callback-'))
}

function sampleNames(): string[] {
  return readdirSync(FOLDER)
    .map(file => file.replace(/\.json$/, ''))
    .sort()
}

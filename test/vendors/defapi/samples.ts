import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const FOLDER = join(import.meta.dir, 'samples')

/** What the vendor answers, as known from `source`; 3P is other people's code, U nobody. */
export type Sample = {
  source: string
  date: string
  certainty: '3P' | 'U'
  body: Record<string, unknown>
}

export async function readSample(name: string): Promise<Sample> {
  return (await Bun.file(join(FOLDER, `${name}.json`)).json()) as Sample
}

/** A copy, so that a test may change it. */
export async function sampleBody(name: string): Promise<Record<string, unknown>> {
  return (await readSample(name)).body
}

export function sampleNames(): string[] {
  return readdirSync(FOLDER).map(file => file.replace(/\.json$/, ''))
}

/** The names of samples that no test of this folder names. */
export async function unusedSamples(): Promise<string[]> {
  const tests = readdirSync(import.meta.dir).filter(file => file.endsWith('.test.ts'))
  const texts = await Promise.all(tests.map(file => Bun.file(join(import.meta.dir, file)).text()))
  return sampleNames().filter(name => !texts.some(text => text.includes(`'${name}'`)))
}

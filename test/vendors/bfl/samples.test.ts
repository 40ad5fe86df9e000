import { expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sample, sampleNames } from './samples'

test.each(sampleNames)('%s says where it is from, and is used', name => {
  expect(sample<unknown>(name)).toBeDefined()
  expect(SOURCES).toContain(`'${name}'`)
})

const SOURCES = readdirSync(import.meta.dir)
  .filter(file => file.endsWith('.ts') && file !== 'samples.test.ts')
  .map(file => readFileSync(join(import.meta.dir, file), 'utf8'))
  .join('\n')

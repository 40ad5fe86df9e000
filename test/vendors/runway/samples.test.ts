import { expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SAMPLES, sample } from './samples'

const names = readdirSync(SAMPLES).map(file => file.replace(/\.json$/, ''))

test.each(names)('sample %s is whole and used', name => {
  expect(JSON.stringify(sample(name).body).length).toBeGreaterThan(2)
  const users = readdirSync(import.meta.dir)
    .filter(file => file.endsWith('.ts') && !file.startsWith('samples'))
    .filter(file => readFileSync(join(import.meta.dir, file), 'utf8').includes(`'${name}'`))
  expect(users).not.toEqual([])
})

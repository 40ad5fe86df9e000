import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestHub, testHub } from '@test/support/test-hub'
import { tryRule } from '@/domain/pricing'
import { MEASURES } from '@/domain/pricing/asked'
import { Rule } from '@/domain/pricing/rule'

/** The rules on the page are rules, and cost what the page says. */
const PAGE = readFileSync(join(import.meta.dir, '../../../docs/prices.md'), 'utf8')
const RULES = new Map(
  [...PAGE.matchAll(/^hub prices set (\S+) <<'END'\n([\s\S]*?)\nEND$/gm)].map(
    ([, subject = '', text = '']) => [subject, JSON.parse(text) as unknown],
  ),
)

let hub: TestHub
beforeAll(async () => {
  hub = await testHub({ isRunning: false })
})
afterAll(() => hub.close())

const tokensOf = (subject: string, input: unknown) =>
  tryRule(hub.deps, { realm: null, subject, rule: RULES.get(subject), input })?.tokens

test('each rule may be saved as it stands there', () => {
  expect([...RULES.keys()]).toHaveLength(6)
  for (const [subject, rule] of RULES) {
    expect(() => tryRule(hub.deps, { realm: null, subject, rule })).not.toThrow()
  }
})

test('the worked cases come to what is said', () => {
  const said = [...PAGE.matchAll(/= (?:71\.28, which is )?(\d+)[ ,]+for\s+`(\{[^`]+\})`/g)]
  expect(said.map(([, tokens, input]) => [tokens, JSON.parse(input ?? '')])).toEqual([
    ['115', { images: 10 }],
    ['72', { iteration: 2, complexity: 'high' }],
    ['27', { resolution: '4k', quality: 'high', duration: 10, images: 1 }],
  ])
  const features = ['feature:model_creation', 'feature:refinement', 'feature:picture']
  for (const [i, [, tokens, input]] of said.entries()) {
    expect(tokensOf(features[i] ?? '', JSON.parse(input ?? ''))).toBe(Number(tokens))
  }
  expect(tokensOf('model:kling-2.5', { prompt: 'a' })).toBe(35)
  const picture = { prompt: 'a heron', quality: 'high', num_outputs: 3 }
  expect(tokensOf('model:gpt-image-1.5', picture)).toBe(36)
  expect(tokensOf('model:gpt-image-1.5', { prompt: 'A heron' })).toBe(9)
})

test('it has every word of a rule and everything that is measured', () => {
  for (const word of [...Object.keys(Rule.shape), ...MEASURES])
    expect(PAGE).toContain(`\`${word}\``)
})

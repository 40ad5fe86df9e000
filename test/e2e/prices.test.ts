import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { type Ran, runHub, startHub } from '@test/support/process'
import { temporaryFolder } from '@test/support/test-db'
import { apiOf, type MadeApp } from './api'

/** `hub prices` in real processes, beside a server that must hear of every change. */
const TIMEOUT_MS = 60_000

const ran = (folder: string, args: string[], stdin = ''): Promise<Ran> =>
  runHub(args, { folder, stdin })

const RULE = {
  per_output: 5,
  factors: [
    { of: 'quality', table: { low: 1, medium: '1.5', high: '2.0' }, absent: '1.5' },
    { name: 'margin', by: '1.2' },
  ],
}

test(
  'a price is tried, set, seen by a running server, shown and removed',
  async () => {
    const folder = join(temporaryFolder(), 'data')
    const made = await ran(folder, ['apps', 'create', '--name', 'A', '--slug', 'a', '--json'])
    const { api_key, test_api_key } = JSON.parse(made.stdout) as MadeApp
    await using hub = await startHub({ folder })
    const prices = (...args: string[]) => ran(folder, ['prices', ...args])
    const estimate = async (key: string) => {
      const body = { model: 'gpt-image-1.5', input: { prompt: 'a', quality: 'high' } }
      const answer = await apiOf(hub.url, key).call('POST', '/api/v1/estimate', body)
      return (answer.body as { tokens: number }).tokens
    }
    const rule = JSON.stringify(RULE)
    expect(await estimate(api_key)).toBe(5)

    const asked = '{"input":{"prompt":"a","quality":"high","num_outputs":3}}'
    const tried = await ran(folder, ['prices', 'set', 'model:gpt-image-1.5', '--try', asked], rule)
    expect(tried).toEqual({
      code: 0,
      stdout: '  5 tokens x 3 outputs\n  x 2 quality high\n  x 1.2 margin\n  = 36 tokens\n',
      stderr: '',
    })
    expect(await estimate(api_key)).toBe(5)

    const set = await ran(folder, ['prices', 'set', 'model:gpt-image-1.5', '--json'], rule)
    expect([set.code, JSON.parse(set.stdout)]).toEqual([
      0,
      {
        subject: 'model:gpt-image-1.5',
        version: 1,
        rule: RULE,
        example_tokens: 9,
        example_steps: [
          { what: '5 tokens x 1 outputs', tokens: 5 },
          { what: 'x 1.5 quality as it is = 7.5', tokens: 8 },
          { what: 'x 1.2 margin', tokens: 9 },
        ],
      },
    ])
    expect(await estimate(api_key)).toBe(12)

    const ofApp = ['--app', 'a', '--mode', 'test']
    await ran(folder, ['prices', 'set', 'model:gpt-image-1.5', ...ofApp], '{"base": 77}')
    expect([await estimate(api_key), await estimate(test_api_key)]).toEqual([12, 77])
    const shown = await prices('show', 'model:gpt-image-1.5', '--try', asked, ...ofApp, '--json')
    expect(JSON.parse(shown.stdout)).toMatchObject({ tokens: 77, rule_version: 1 })
    const list = await prices('list')
    expect(list.stdout).toMatch(/^SUBJECT +VERSION +USUAL PRICE\nmodel:gpt-image-1.5 +1 +9\n$/)
    expect((await prices('list', '--app', 'a')).stdout).toBe(
      'There are no price rules in the app’s live mode.\n',
    )

    const removed = await prices('remove', 'model:gpt-image-1.5')
    expect([removed.code, removed.stdout]).toEqual([
      0,
      'model:gpt-image-1.5: no rule of the hub any more.\n',
    ])
    expect([await estimate(api_key), await estimate(test_api_key)]).toEqual([5, 77])
  },
  TIMEOUT_MS,
)

test(
  'a bad rule is told by its fields, and nothing is set',
  async () => {
    const folder = join(temporaryFolder(), 'data')
    await ran(folder, ['apps', 'create', '--name', 'A', '--slug', 'a'])
    const bad: [string, number, RegExp][] = [
      ['{"base": 1.5}', 1, /^rule\.base must be a whole number, or a decimal in quotes/],
      [
        '{"base": 1, "additions": [{"of": "pages", "price": 1}]}',
        1,
        /^rule\.additions\.0\.of is not/,
      ],
      ['{"base": ', 2, /^the rule is not valid JSON/],
      ['', 2, /^the rule is read from standard input, and nothing came/],
      [`[${' '.repeat(200_001)}]`, 2, /^what came is no rule: it is too long/],
    ]
    for (const [rule, code, says] of bad) {
      const answer = await ran(folder, ['prices', 'set', 'model:sdxl'], rule)
      expect([rule.slice(0, 60), answer.code, answer.stdout]).toEqual([rule.slice(0, 60), code, ''])
      expect(answer.stderr).toMatch(says)
    }
    const input = await ran(folder, [
      'prices',
      'show',
      'model:sdxl',
      '--try',
      '{"input":{"prompt":"a","x":1}}',
    ])
    expect([input.code, input.stderr]).toEqual([
      1,
      expect.stringMatching(/^input\.x is not a field/),
    ])
    expect((await ran(folder, ['prices', 'list', '--json'])).stdout).toBe('[]\n')
  },
  TIMEOUT_MS,
)

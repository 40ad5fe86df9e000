import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type TestApp, type TestHub, testApp, testHub } from '@test/support/test-hub'
import { AppError } from '@/base/errors'
import { type CheckedInput, checkInput, findModel, type Model } from '@/domain/catalog'
import * as pricing from '@/domain/pricing'
import { plainQuote } from '@/domain/pricing/quote'

const SHELL = { kind: 'shell', id: 'test' } as const

let hub: TestHub
let app: TestApp
beforeAll(async () => {
  hub = await testHub({ isRunning: false })
  app = await testApp(hub.deps)
})
afterAll(() => hub.close())

const modelOf = (name: string): Model => {
  const model = findModel(hub.deps, name)
  if (!model) throw new Error(`no model ${name}`)
  return model
}
const checked = (name: string, input: Record<string, unknown>): CheckedInput =>
  checkInput(hub.deps, modelOf(name), 'live', input)
const quoteOf = (name: string, input: Record<string, unknown>, realm = app.realms.live) =>
  pricing.quote(hub.deps, { realm, model: modelOf(name), input: checked(name, input) })
const set = (subject: string, rule: unknown, realm: TestApp['realms']['live'] | null = null) =>
  pricing.setRule(hub.deps, SHELL, { realm, subject, rule })
const remove = (subject: string, realm: TestApp['realms']['live'] | null = null) =>
  pricing.removeRule(hub.deps, SHELL, { realm, subject })

/** Of a fraction as it is kept. */
function numberIn(text: string): number {
  const [n = '', d = ''] = text.split('/')
  return Number(n) / Number(d)
}

function refusalOf(act: () => unknown): { status: number; details: unknown } {
  try {
    act()
  } catch (error) {
    if (error instanceof AppError) return { status: error.status, details: error.detail.details }
    throw error
  }
  throw new Error('it was not refused')
}

describe('where no rule exists', () => {
  test('a quote is the model’s price for each output, with the steps that led to it', () => {
    for (const [name, tokenCost] of [
      ['flux-schnell', modelOf('flux-schnell').tokenCost],
      ['kling-2.5', modelOf('kling-2.5').tokenCost],
    ] as const) {
      for (const num_outputs of [1, 2, 3, 4]) {
        const tokens = tokenCost * num_outputs
        expect(quoteOf(name, { prompt: 'a', num_outputs })).toEqual({
          tokens,
          perOutput: tokenCost,
          steps: [{ what: `${tokenCost} tokens x ${num_outputs} outputs`, tokens }],
          ruleVersion: 0,
        })
      }
    }
  })
  test.each([
    [0.5, 3],
    [-1, 2],
    [Number.NaN, 1],
    [Number.MAX_SAFE_INTEGER, 2],
  ])('a price of %p tokens for %p outputs is never quoted', (tokenCost, numOutputs) => {
    expect(() => plainQuote({ tokenCost }, { numOutputs })).toThrow('whole number of tokens')
  })
  test('a feature has no price', () => {
    expect(pricing.featurePrice(hub.deps, app.realms.live, 'nothing')).toBeNull()
  })
})

describe('the worked cases', () => {
  test('model creation: 50 x 1.5 x 1.5 + (10 - 5) x 0.5 = 115', async () => {
    await set('feature:model_creation', {
      base: 50,
      factors: [
        { name: 'complexity', by: '1.5' },
        { name: 'margin', by: '1.5' },
      ],
      additions: [{ of: 'images', price: '0.5', free: 5, max: 100 }],
    })
    const price = pricing.featurePrice(hub.deps, app.realms.live, 'model_creation', { images: 10 })
    expect(price).toEqual({
      tokens: 115,
      perOutput: 115,
      steps: [
        { what: '50 tokens', tokens: 50 },
        { what: 'x 1.5 complexity', tokens: 75 },
        { what: 'x 1.5 margin = 112.5', tokens: 113 },
        { what: '+ 0.5 tokens x 5 images (of 10, 5 free)', tokens: 115 },
      ],
      ruleVersion: 1,
      ruleOf: 'hub',
    })
    const few = pricing.featurePrice(hub.deps, app.realms.live, 'model_creation', { images: 3 })
    expect(few?.tokens).toBe(113)
  })

  test('refinement: 30 x 1.2^2 x 1.5 x 1.1 = 71.28 -> 72', async () => {
    await set('feature:refinement', {
      base: '30',
      growth: [{ of: 'iteration', by: '1.2', max: 10 }],
      factors: [
        { of: 'complexity', table: { low: 1, high: '1.5' } },
        { name: 'margin', by: '1.1' },
      ],
    })
    const input = { iteration: 2, complexity: 'high' }
    const price = pricing.featurePrice(hub.deps, app.realms.live, 'refinement', input)
    expect(price?.tokens).toBe(72)
    expect(price?.steps.map(({ what }) => what)).toEqual([
      '30 tokens',
      'x 1.5 complexity high',
      'x 1.1 margin = 49.5',
      'x 1.2 ^ 2 iteration = 71.28',
      'rounded up',
    ])
  })

  test('image: 5 x 2.0 x 1.5 x 1.5 x 1.2 x 1 = 27', async () => {
    await set('feature:picture', {
      base: 5,
      factors: [
        { of: 'resolution', table: { '2k': '1.5', '4k': '2.0' }, else: 1 },
        { of: 'quality', table: { standard: 1, high: '1.5' } },
        { of: 'duration', table: { '5': 1, '10': '1.5' } },
        { name: 'margin', by: '1.2' },
        { of: 'images', table: { '1': 1, '2': 2 } },
      ],
    })
    const input = { resolution: '4k', quality: 'high', duration: 10, images: 1 }
    expect(pricing.featurePrice(hub.deps, app.realms.live, 'picture', input)?.tokens).toBe(27)
  })

  test('the same of a model, by its own fields', async () => {
    const subject = 'model:gpt-image-1.5'
    await set(subject, {
      per_output: 5,
      factors: [
        { of: 'quality', table: { low: 1, medium: '1.5', high: '2.0' }, absent: '1.5' },
        { of: 'aspect_ratio', table: { '1:1': 1 }, else: '1.5' },
        { name: 'complexity', by: '1.5' },
        { name: 'margin', by: '1.2' },
        { of: 'num_outputs', table: { '1': 1, '2': '0.9' }, else: '0.8' },
      ],
    })
    const input = { prompt: 'a', quality: 'high', aspect_ratio: '16:9' }
    const one = quoteOf('gpt-image-1.5', input)
    expect([one.tokens, one.perOutput]).toEqual([27, 27])
    // 10 x 2 x 1.5 x 1.5 x 1.2 x 0.9 = 48.6
    const two = quoteOf('gpt-image-1.5', { ...input, num_outputs: 2 })
    expect([two.tokens, two.perOutput]).toEqual([49, 25])
    expect(two.steps).toEqual([
      { what: '5 tokens x 2 outputs', tokens: 10 },
      { what: 'x 2 quality high', tokens: 20 },
      { what: 'x 1.5 other aspect ratio', tokens: 30 },
      { what: 'x 1.5 complexity', tokens: 45 },
      { what: 'x 1.2 margin', tokens: 54 },
      { what: 'x 0.9 num outputs 2 = 48.6', tokens: 49 },
      { what: 'rounded up', tokens: 49 },
    ])
    expect(quoteOf('gpt-image-1.5', { prompt: 'a' }).steps[1]?.what).toBe(
      'x 1.5 quality as it is = 7.5',
    )
    await remove(subject)
    expect(quoteOf('gpt-image-1.5', input).ruleVersion).toBe(0)
  })
})

describe('units', () => {
  test('seconds of a film are those that were asked for, of every output', async () => {
    await set('model:kling-2.5', { units: [{ of: 'seconds', price: '2.5' }], minimum: 10 })
    const price = quoteOf('kling-2.5', { prompt: 'a', num_outputs: 2 })
    expect(price).toMatchObject({
      tokens: 25,
      perOutput: 13,
      steps: [{ what: '2.5 tokens x 5 seconds x 2 outputs', tokens: 25 }],
    })
    expect(price.usage).toBeUndefined()
    await remove('model:kling-2.5')
  })
  test('images that come along, once or for every output', async () => {
    for (const [per, tokens] of [
      ['job', 3 + 2 * 1],
      ['output', 3 + 2 * 1 * 3],
    ] as const) {
      await set('model:gpt-image-1.5', {
        per_output: 1,
        units: [{ of: 'images', price: 1, free: 1, per }],
      })
      const images = [1, 2, 3].map(i => `https://example.com/${i}.jpg`)
      const price = quoteOf('gpt-image-1.5', { prompt: 'a', images, num_outputs: 3 })
      expect([per, price.tokens]).toEqual([per, tokens])
    }
    await remove('model:gpt-image-1.5')
  })
  test('text tokens are held at their most, and paid as they were', async () => {
    await set('model:gpt-5-mini', {
      base: '0.5',
      units: [
        { of: 'input_tokens', price: '0.25', each: 1_000 },
        { of: 'output_tokens', price: 2, each: 1_000, absent: 2_000 },
      ],
      factors: [{ name: 'margin', by: '1.5' }],
    })
    // (0.5 + 69 x 0.25 / 1000 + 1000 x 2 / 1000) x 1.5 = 3.775875
    const price = quoteOf('gpt-5-mini', { prompt: 'a €', max_output_tokens: 1_000 })
    // Five bytes: every one of them may be a token.
    expect(price.steps[1]?.what).toStartWith('+ 0.25 tokens for 1000 x at most 69 input tokens')
    expect(price.tokens).toBe(4)
    const { fixed = '', parts = [], ...limits } = price.usage ?? {}
    expect([numberIn(fixed), limits]).toEqual([0.75, { minimum: null, maximum: null }])
    const numbers = parts.map(part => [
      part.of,
      ...[part.price, part.free, part.most].map(numberIn),
    ])
    expect(numbers).toEqual([
      ['input_tokens', 3 / 8_000, 0, 69],
      ['output_tokens', 3 / 1_000, 0, 1_000],
    ])
    const frozen = JSON.parse(JSON.stringify(price))
    const ends = (inputTokens: number, outputTokens: number) =>
      pricing.finalPrice(frozen, {
        outputs: 1,
        numOutputs: 1,
        usage: { inputTokens, outputTokens },
      })
    // 0.75 + 10 x 3/8000 + 100 x 3/1000 = 1.05375
    expect(ends(10, 100)).toBe(2)
    expect(ends(10, 0)).toBe(1)
    expect(ends(10, 1_000)).toBe(4)
    expect(ends(1e9, 1e9)).toBe(4)
    expect(quoteOf('gpt-5-mini', { prompt: 'a' }).usage?.parts[1]?.most).toBe('2000/1')
    await remove('model:gpt-5-mini')
  })
  test('megapixels and the length of what was made are measured by us', async () => {
    await set('model:flux-schnell', { units: [{ of: 'megapixels', price: 1, max: 4 }] })
    const price = quoteOf('flux-schnell', { prompt: 'a', num_outputs: 2 })
    expect(price.tokens).toBe(8)
    const end = (made: pricing.MeasuredOutput[]) =>
      pricing.finalPrice(price, { outputs: made.length, numOutputs: 2, made })
    const hd = { width: 1_920, height: 1_080, durationMs: null }
    // 2 x 2.0736 = 4.1472
    expect(end([hd, hd])).toBe(5)
    // Half of the 4.1472 that two of these would have cost, rounded up first and then down.
    expect(end([hd])).toBe(2)
    expect(end([hd, { width: null, height: 5 }])).toBe(8)
    expect(end([{ width: 9_000, height: 9_000 }, hd])).toBe(8)
    await remove('model:flux-schnell')
    await set('model:flux-schnell', { units: [{ of: 'seconds', price: 3, max: 10, free: 1 }] })
    const film = quoteOf('flux-schnell', { prompt: 'a' })
    expect(film.tokens).toBe(27)
    const made = [{ durationMs: 4_040 }]
    expect(pricing.finalPrice(film, { outputs: 1, numOutputs: 1, made })).toBe(10)
    // What a machine worked is not how long a film is.
    const usage = { seconds: 2 }
    expect(pricing.finalPrice(film, { outputs: 1, numOutputs: 1, usage })).toBe(27)
    await remove('model:flux-schnell')
  })
  test('the machine’s seconds are the vendor’s to tell', async () => {
    await set('model:sdxl', { units: [{ of: 'compute_seconds', price: '0.1', absent: 30 }] })
    const price = quoteOf('sdxl', { prompt: 'a' })
    expect(price.tokens).toBe(3)
    const end = (seconds: number) =>
      pricing.finalPrice(price, { outputs: 1, numOutputs: 1, usage: { seconds } })
    expect([end(0), end(0.1), end(10.0001), end(31)]).toEqual([0, 1, 2, 3])
    expect([end(-1), end(Number.NaN), end(Number.POSITIVE_INFINITY)]).toEqual([3, 3, 3])
    await remove('model:sdxl')
  })
})

describe('what comes of fewer outputs', () => {
  test('is their share of the price, rounded in the user’s favour', async () => {
    const plain = quoteOf('flux-schnell', { prompt: 'a', num_outputs: 3 })
    const { tokenCost } = modelOf('flux-schnell')
    for (const outputs of [0, 1, 2, 3, 4]) {
      expect(pricing.finalPrice(plain, { outputs, numOutputs: 3 })).toBe(
        tokenCost * Math.min(outputs, 3),
      )
    }
    await set('model:flux-schnell', { base: 10, minimum: 10 })
    const ruled = quoteOf('flux-schnell', { prompt: 'a', num_outputs: 3 })
    const shares = [0, 1, 2, 3].map(outputs =>
      pricing.finalPrice(ruled, { outputs, numOutputs: 3 }),
    )
    expect(shares).toEqual([0, 3, 6, 10])
    await remove('model:flux-schnell')
  })
  test('is never more than was held, whatever was frozen', () => {
    const usage = { fixed: '50/1', parts: [], minimum: null, maximum: null }
    const odd = { tokens: 7, perOutput: 7, steps: [], ruleVersion: 1, usage }
    expect(pricing.finalPrice(odd, { outputs: 1, numOutputs: 1 })).toBe(7)
  })
  test('a count that is none is a bug', () => {
    const plain = quoteOf('flux-schnell', { prompt: 'a' })
    for (const outputs of [-1, 0.5, Number.NaN]) {
      expect(() => pricing.finalPrice(plain, { outputs, numOutputs: 1 })).toThrow('counted')
    }
    expect(() => pricing.finalPrice(plain, { outputs: 1, numOutputs: 0 })).toThrow('counted')
  })
})

describe('what has no price', () => {
  test('is refused with its field', async () => {
    await set('model:gpt-image-1.5', {
      per_output: 2,
      factors: [{ of: 'quality', table: { low: 1, medium: 1 }, absent: 1 }],
      units: [{ of: 'images', price: 1, max: 1 }],
    })
    const images = ['https://example.com/1.jpg', 'https://example.com/2.jpg']
    expect(refusalOf(() => quoteOf('gpt-image-1.5', { prompt: 'a', quality: 'high' }))).toEqual({
      status: 400,
      details: [{ path: 'input.quality', message: 'has no price with this value' }],
    })
    expect(refusalOf(() => quoteOf('gpt-image-1.5', { prompt: 'a', images })).details).toEqual([
      { path: 'input.images', message: 'must be at most 1 at this price' },
    ])
    await remove('model:gpt-image-1.5')
    await set('model:gpt-5-mini', {
      units: [{ of: 'output_tokens', price: 1, each: 100, max: 500 }],
    })
    const long = { prompt: 'a', max_output_tokens: 501 }
    expect(refusalOf(() => quoteOf('gpt-5-mini', long)).details).toEqual([
      { path: 'input.max_output_tokens', message: 'must be at most 500 at this price' },
    ])
    expect(quoteOf('gpt-5-mini', { prompt: 'a' }).tokens).toBe(5)
    await remove('model:gpt-5-mini')
  })
  test('in a feature too, and so is what the rule does not know', async () => {
    await set('feature:pack', {
      base: 1,
      units: [{ of: 'count', price: 2, max: 10 }],
      growth: [{ of: 'round', by: 2, max: 3, absent: 0 }],
      factors: [{ of: 'size', table: { s: 1 }, absent: 1 }],
    })
    const refused = (input: unknown) =>
      refusalOf(() => pricing.featurePrice(hub.deps, app.realms.live, 'pack', input)).details
    expect(refused({})).toEqual([
      { path: 'input.count', message: 'must be given: the price depends on it' },
    ])
    expect(refused({ count: 1, other: 1, 'x y': 2 })).toEqual([
      { path: 'input.other', message: 'is not a field of this feature’s price' },
      { path: 'input.(unnamed)', message: 'is not a field of this feature’s price' },
    ])
    expect(refused([])).toEqual([{ path: 'input', message: 'must be an object' }])
    for (const bad of [{ count: -1 }, { count: '3' }, { count: true }, { count: 11 }]) {
      expect([bad, refused(bad)]).toMatchObject([bad, [{ path: 'input.count' }]])
    }
    for (const round of [-1, 1.5, 4, 'two', 2 ** 60]) {
      expect([round, refused({ count: 1, round })]).toMatchObject([
        round,
        [{ path: 'input.round' }],
      ])
    }
    expect(refused({ count: 1, size: 'constructor' })).toMatchObject([{ path: 'input.size' }])
    expect(refused({ count: 1, size: {} })).toMatchObject([{ path: 'input.size' }])
    const price = (input: unknown) =>
      pricing.featurePrice(hub.deps, app.realms.live, 'pack', input)?.tokens
    expect(price({ count: 10, round: 3 })).toBe(168)
    expect(price({ count: 0.1 })).toBe(2)
  })
})

describe('whose rule holds', () => {
  test('the app’s own in its mode, else the hub’s, else the plain price', async () => {
    const other = await testApp(hub.deps)
    const seen = (): unknown[] =>
      [app.realms.live, app.realms.test, other.realms.live].map(realm => {
        const { tokens, ruleVersion, ruleOf } = quoteOf('sdxl', { prompt: 'a' }, realm)
        return [tokens, ruleVersion, ruleOf]
      })
    const plain: unknown = [modelOf('sdxl').tokenCost, 0, undefined]
    expect(seen()).toEqual([plain, plain, plain])
    // sdxl had a rule of the hub above: its versions go on.
    const { version } = await set('model:sdxl', { base: 100 })
    const hubs: unknown = [100, version, 'hub']
    expect(seen()).toEqual([hubs, hubs, hubs])
    await set('model:sdxl', { base: 7 }, app.realms.live)
    expect(seen()).toEqual([[7, 1, 'app'], hubs, hubs])
    await set('model:sdxl', { base: 8 }, app.realms.live)
    await set('model:sdxl', { base: '8' }, app.realms.test)
    expect(seen()).toEqual([[8, 2, 'app'], [8, 1, 'app'], hubs])
    await remove('model:sdxl', app.realms.live)
    await remove('model:sdxl')
    expect(seen()).toEqual([plain, [8, 1, 'app'], plain])
    await set('model:sdxl', { base: 9 }, app.realms.live)
    expect(seen()[0]).toEqual([9, 3, 'app'])
    await remove('model:sdxl', app.realms.live)
    await remove('model:sdxl', app.realms.test)
  })
  test('a quote that was made keeps its price when the rule changes', async () => {
    await set('model:sdxl', { units: [{ of: 'compute_seconds', price: 1, max: 60 }] })
    const before = quoteOf('sdxl', { prompt: 'a' })
    await set('model:sdxl', { units: [{ of: 'compute_seconds', price: 100, max: 60 }] })
    const end = { outputs: 1, numOutputs: 1, usage: { seconds: 12 } }
    expect(pricing.finalPrice(before, end)).toBe(12)
    await remove('model:sdxl')
  })
})

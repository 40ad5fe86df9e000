import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Glob } from 'bun'
import fc from 'fast-check'
import { compile } from '@/domain/pricing/compile'
import { finalPrice } from '@/domain/pricing/final-price'
import { price } from '@/domain/pricing/price'
import { type Quote, quoteBy } from '@/domain/pricing/quote'
import { isMore, rational, roundedUp, toText } from '@/domain/pricing/rational'
import { Rule } from '@/domain/pricing/rule'
import {
  askedOf,
  byHand,
  MEASURED,
  measuringRules,
  QUANTITIES,
  type Request,
  requests,
  rules,
} from './arbitrary'

/** The same cases in every run; a failure prints the smallest rule and request that show it. */
const RUNS = { seed: 20_260_115, numRuns: 2_000 } as const

const quoteOf = (rule: Rule, request: Request): Quote =>
  quoteBy({ compiled: compile(rule), version: 1, of: 'app' }, askedOf(request))
/** Where the price would be more than anybody may be charged it is refused, which is not about this here. */
const tokensOf = (rule: Rule, request: Request): bigint =>
  roundedUp(price(compile(rule), askedOf(request)).exact)

const isExact = (way: (rule: Rule, request: Request) => bigint) =>
  fc.property(fc.oneof(rules, measuringRules), requests, (rule, request) => {
    expect(way(rule, request)).toBe(byHand(rule, request).tokens)
  })

describe('a price', () => {
  test('is what it comes to in big whole numbers, worked out another way', () => {
    fc.assert(isExact(tokensOf), RUNS)
  })

  /** Prices as one would write them in a hurry. */
  const HURRIED: [string, (rule: Rule, request: Request) => bigint][] = [
    ['rounds down', (rule, request) => floorOf(exactOf(rule, request))],
    [
      'rounds to the nearest',
      (rule, request) => {
        const { n, d } = exactOf(rule, request)
        return (2n * n + d) / (2n * d)
      },
    ],
    ['rounds on the way', inSteps],
    ['reckons in floats', (rule, request) => BigInt(Math.ceil(inFloats(rule, request)))],
    [
      'forgets what is free',
      (rule, request) =>
        tokensOf(
          { ...rule, units: (rule.units ?? []).map(({ free: _, ...unit }) => unit) },
          request,
        ),
    ],
    ['forgets the outputs', (rule, request) => tokensOf(rule, { ...request, outputs: 1 })],
    [
      'multiplies the additions too',
      ({ additions = [], ...rule }, request) =>
        tokensOf({ ...rule, units: [...(rule.units ?? []), ...additions] }, request),
    ],
  ]
  test.each(HURRIED)('that %s is found out', (_, way) => {
    expect(fc.check(isExact(way), RUNS).failed).toBe(true)
  })

  test('is never a token more than it comes to, nor any less', () => {
    fc.assert(
      fc.property(fc.oneof(rules, measuringRules), requests, (rule, request) => {
        const { n, d } = byHand(rule, request)
        const tokens = tokensOf(rule, request)
        expect(tokens * d >= n && (tokens - 1n) * d < n).toBe(true)
      }),
      RUNS,
    )
  })

  test('never falls when more is asked for', () => {
    const more = fc.constantFrom(...QUANTITIES, 'round', 'iteration', 'outputs', ...MEASURED)
    fc.assert(
      fc.property(
        fc.oneof(rules, measuringRules),
        requests,
        more,
        fc.integer({ min: 1, max: 50 }),
        (rule, request, field, by) => {
          expect(tokensOf(rule, grown(request, field, by)) >= tokensOf(rule, request)).toBe(true)
        },
      ),
      RUNS,
    )
  })
  test('for one output does fall with their number, which the same question finds', () => {
    const cheaper = (rule: Rule, request: Request) =>
      tokensOf(rule, request) / BigInt(request.outputs)
    const { failed } = fc.check(
      fc.property(rules, requests, (rule, request) => {
        expect(cheaper(rule, grown(request, 'outputs', 1)) >= cheaper(rule, request)).toBe(true)
      }),
      RUNS,
    )
    expect(failed).toBe(true)
  })

  test('does not depend on the order of what multiplies', () => {
    const shuffled = rules.chain(rule =>
      fc.tuple(
        fc.constant(rule),
        fc.shuffledSubarray(rule.factors ?? [], { minLength: rule.factors?.length ?? 0 }),
        fc.shuffledSubarray(rule.growth ?? [], { minLength: rule.growth?.length ?? 0 }),
      ),
    )
    fc.assert(
      fc.property(shuffled, requests, ([rule, factors, growth], request) => {
        expect(tokensOf({ ...rule, factors, growth }, request)).toBe(tokensOf(rule, request))
      }),
      RUNS,
    )
  })

  test('is made of whole numbers wherever it is shown, and the last step is the price', () => {
    fc.assert(
      fc.property(fc.oneof(rules, measuringRules), requests, (rule, request) => {
        const bounded = { ...rule, maximum: Math.min(rule.maximum ?? 1e9, 1e9) }
        const quote = quoteOf(bounded, request)
        for (const tokens of [quote.tokens, quote.perOutput, ...quote.steps.map(s => s.tokens)]) {
          expect(Number.isSafeInteger(tokens) && tokens >= 0).toBe(true)
        }
        expect(quote.steps.at(-1)?.tokens).toBe(quote.tokens)
        const perOutput = BigInt(quote.perOutput) * BigInt(request.outputs)
        expect(perOutput >= BigInt(quote.tokens)).toBe(true)
        expect(JSON.parse(JSON.stringify(quote))).toEqual(quote)
        // Everything that is not whole is a text of digits: JSON holds no float.
        expect(JSON.stringify(quote).replace(/"(?:[^"\\]|\\.)*"/g, '')).not.toMatch(/\d[.eE]/)
      }),
      RUNS,
    )
  })
})

describe('the price at the end', () => {
  const ends = fc.record(
    {
      outputs: fc.nat(5),
      usage: fc.record(
        {
          outputTokens: fc.oneof(fc.nat(50_000), fc.double()),
          seconds: fc.oneof(fc.double({ min: 0, max: 20_000, noNaN: true }), fc.double()),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: ['outputs'] },
  )
  const bounded = measuringRules.map(rule => ({ ...rule, maximum: rule.maximum ?? 1_000_000_000 }))

  test('is never more than what was quoted, nothing for nothing, and whole', () => {
    let lower = 0
    fc.assert(
      fc.property(bounded, requests, ends, (rule, request, end) => {
        const quote = JSON.parse(JSON.stringify(quoteOf(rule, request))) as Quote
        const tokens = finalPrice(quote, { ...end, numOutputs: request.outputs })
        expect(Number.isSafeInteger(tokens) && tokens >= 0).toBe(true)
        expect(tokens).toBeLessThanOrEqual(quote.tokens)
        if (end.outputs === 0) expect(tokens).toBe(0)
        const share = { outputs: end.outputs, numOutputs: request.outputs }
        expect(tokens).toBeLessThanOrEqual(finalPrice(quote, share))
        if (tokens < finalPrice(quote, share)) lower++
      }),
      RUNS,
    )
    expect(lower).toBeGreaterThan(100)
  })

  test('is what the rule says of what was used, when all was made', () => {
    fc.assert(
      fc.property(bounded, requests, fc.nat(10_000), fc.nat(10_000), (rule, request, out, work) => {
        const { outputs } = request
        const quote = quoteOf(rule, request)
        const used = {
          output_tokens: Math.min(out, request.measures.output_tokens ?? 0),
          compute_seconds: Math.min(work, request.measures.compute_seconds ?? 0),
        }
        const tokens = finalPrice(quote, {
          outputs,
          numOutputs: outputs,
          usage: { outputTokens: out * outputs, seconds: work * outputs },
        })
        expect(BigInt(tokens)).toBe(byHand(rule, { ...request, measures: used }).tokens)
      }),
      RUNS,
    )
  })

  test('never falls when more was used or more was made', () => {
    fc.assert(
      fc.property(bounded, requests, ends, fc.nat(500), (rule, request, end, by) => {
        const quote = quoteOf(rule, request)
        const numOutputs = request.outputs
        const { outputTokens, seconds } = end.usage ?? {}
        fc.pre(Number.isFinite(outputTokens) && Number.isFinite(seconds))
        fc.pre((outputTokens ?? 0) >= 0 && (seconds ?? 0) >= 0)
        const grownUsage = { outputTokens: (outputTokens ?? 0) + by, seconds: (seconds ?? 0) + by }
        const before = finalPrice(quote, { ...end, numOutputs })
        expect(finalPrice(quote, { ...end, usage: grownUsage, numOutputs })).toBeGreaterThanOrEqual(
          before,
        )
        // Without a measure it is a share of the whole, which grows with what was made.
        const shareOf = (outputs: number) => finalPrice(quote, { outputs, numOutputs })
        expect(shareOf(end.outputs + 1)).toBeGreaterThanOrEqual(shareOf(end.outputs))
      }),
      RUNS,
    )
  })
})

describe('a number', () => {
  test('is read exactly as it is written, and what is none is nothing', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), value => {
        const found = rational(value)
        expect(found).not.toBeNull()
        if (found) expect(Number(`${value}`)).toBe(asNumber(found.n, found.d))
      }),
      { ...RUNS, numRuns: 500 },
    )
    for (const none of [
      -1,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      '',
      '1.',
      '.5',
      '1e5',
      'x',
      ' 1',
    ]) {
      expect([none, rational(none)]).toEqual([none, null])
    }
  })
  test('is shown with its decimals, and as about so many where they do not end', () => {
    const shown = (text: string) => toText(rational(text) ?? { n: 0n, d: 1n })
    expect(['71.28', '5.0', '0.000001', '100'].map(shown)).toEqual([
      '71.28',
      '5',
      '0.000001',
      '100',
    ])
    expect(toText({ n: 1n, d: 3n })).toBe('about 0.333333')
    expect(isMore({ n: 1n, d: 3n }, { n: 333n, d: 1_000n })).toBe(true)
  })
})

describe('the most hostile rules', () => {
  const digits = '999.999999'
  const row = { of: 'images', price: '999999999.999999', each: 999_983, free: '0.000001' }
  const hostile = Rule.parse({
    base: '999999999.999999',
    per_output: '999999999.999999',
    units: Array.from({ length: 20 }, () => row),
    factors: Array.from({ length: 20 }, () => ({ of: 'quality', table: { low: digits } })),
    growth: Array.from({ length: 20 }, () => ({ of: 'round', by: digits, max: 100 })),
    additions: Array.from({ length: 20 }, () => ({ ...row, each: 999_979 })),
  })
  const request: Request = {
    outputs: 4,
    quantities: { images: 5e-324, round: 100 },
    words: { quality: 'low' },
    measures: {},
  }
  test('come to an end, soon', () => {
    const startedAt = performance.now()
    expect(tokensOf(hostile, request) > 10n ** 6_000n).toBe(true)
    expect(() => quoteOf(hostile, request)).toThrow('not valid')
    expect(quoteOf({ ...hostile, maximum: 7 }, request).tokens).toBe(7)
    // Some 50,000 digits: much on a slow machine, and no loop that a rule could lengthen.
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })
})

/** Words by which a float would get in. */
const FLOATS =
  /\bMath\.(?!min|max)|parseFloat|parseInt|toFixed|toPrecision|Number\.(?!isSafeInteger|isInteger|MAX_SAFE_INTEGER)|(?<![\w"'`.])\d+\.\d|\b\d+e[-\d]/

test('there is no float in the source of prices', () => {
  const folder = join(import.meta.dir, '../../../src/domain/pricing')
  const paths = [...new Glob('*.ts').scanSync({ cwd: folder })]
  expect(paths.length).toBeGreaterThan(10)
  for (const path of paths) {
    const code = readFileSync(join(folder, path), 'utf8')
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .replace(/\/\/.*$/gm, '')
      // Sentences for people.
      .replace(/`[^`]*`|'[^']*'/g, "''")
    expect([path, FLOATS.exec(code)?.[0]]).toEqual([path, undefined])
  }
  for (const planted of [
    'Math.ceil(x)',
    'x * 1.5',
    'Number.parseFloat(x)',
    '1e-6',
    'x.toFixed(2)',
  ]) {
    expect(planted).toMatch(FLOATS)
  }
})

function grown(request: Request, field: string, by: number): Request {
  if (field === 'outputs') return { ...request, outputs: request.outputs + by }
  if (MEASURED.some(measure => measure === field)) {
    const measures = request.measures as Record<string, number>
    return { ...request, measures: { ...measures, [field]: (measures[field] ?? 0) + by } }
  }
  const quantities = { ...request.quantities, [field]: (request.quantities[field] ?? 0) + by }
  return { ...request, quantities }
}

const exactOf = (rule: Rule, request: Request) => price(compile(rule), askedOf(request)).exact
const floorOf = ({ n, d }: { n: bigint; d: bigint }) => n / d

function inSteps(rule: Rule, request: Request): bigint {
  let tokens = tokensOf({ ...rule, factors: [], growth: [], additions: [] }, request)
  for (const factor of rule.factors ?? []) {
    const by = { base: `${tokens}`, factors: [factor] } as Rule
    tokens = tokensOf(by, request)
  }
  return tokens
}

function inFloats(rule: Rule, { outputs, quantities, words, measures }: Request): number {
  const all: Record<string, number> = { ...quantities, ...measures }
  const sum = (rows: Rule['units'] = []) =>
    rows.reduce((total, { of, price, each = 1, free = 0, per }) => {
      const paid = Math.max(0, (all[of] ?? 0) - Number(free))
      return total + (Number(price) * paid * (per === 'job' ? 1 : outputs)) / each
    }, 0)
  let total = Number(rule.base ?? 0) + Number(rule.per_output ?? 0) * outputs + sum(rule.units)
  for (const { by, of, table = {}, else: otherwise } of rule.factors ?? []) {
    total *= Number(of === undefined ? by : (table[words[of] ?? ''] ?? otherwise))
  }
  for (const { of, by } of rule.growth ?? []) total *= Number(by) ** (all[of] ?? 0)
  total += sum(rule.additions)
  return Math.min(Math.max(total, rule.minimum ?? 0), rule.maximum ?? Number.MAX_VALUE)
}

/** A fraction as the number beside it, by its digits. */
function asNumber(n: bigint, d: bigint): number {
  const places = 400n
  const text = `${(n * 10n ** places) / d}`.padStart(Number(places) + 1, '0')
  return Number(`${text.slice(0, -Number(places))}.${text.slice(-Number(places))}`)
}

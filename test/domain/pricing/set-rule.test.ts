import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type TestApp, type TestHub, testApp, testHub } from '@test/support/test-hub'
import { AppError } from '@/base/errors'
import { formatId } from '@/base/ids'
import { write } from '@/db/write'
import type { Realm } from '@/deps'
import { findModel, listModels } from '@/domain/catalog'
import * as pricing from '@/domain/pricing'

const SHELL = { kind: 'shell', id: 'test' } as const

let hub: TestHub
let app: TestApp
beforeAll(async () => {
  hub = await testHub({ isRunning: false })
  app = await testApp(hub.deps)
  await write(hub.deps.db, tx => {
    const schema = {
      type: 'object',
      properties: {
        depth: { type: 'integer', minimum: 0 },
        shift: { type: 'number', minimum: -5, maximum: 5, default: 0 },
        half: { type: 'number', minimum: 0, maximum: 10, default: 1 },
        loud: { type: 'boolean', default: false },
        note: { type: 'string' },
        size: { type: 'string', enum: ['S', 'L'], default: 'S' },
        many: { type: 'array', items: { type: 'string' } },
        rounds: { type: 'integer', minimum: 0, maximum: 5, default: 0 },
        max_output_tokens: { type: 'integer', minimum: 1 },
      },
    }
    tx.db.sqlite.run("UPDATE models SET input_schema = ?, updated_at = ? WHERE name = 'sdxl'", [
      JSON.stringify(schema),
      tx.now,
    ])
  })
  hub.deps.cache.clear()
})
afterAll(() => hub.close())

const set = (subject: string, rule: unknown, realm: Realm | null = null) =>
  pricing.setRule(hub.deps, SHELL, { realm, subject, rule })

async function refusal(subject: string, rule: unknown) {
  const rows = rowCount()
  try {
    await set(subject, rule)
  } catch (error) {
    expect(rowCount()).toBe(rows)
    if (error instanceof AppError) {
      const details = error.detail.details as { path: string; message: string }[] | undefined
      return { code: error.code, paths: details?.map(({ path }) => path), details }
    }
    throw error
  }
  throw new Error(`it was saved: ${JSON.stringify(rule)}`)
}
const rowCount = () =>
  (hub.deps.db.sqlite.query('SELECT count(*) AS n FROM pricing_rules').get() as { n: number }).n

const OF_MODEL = 'model:sdxl'
const OF_FEATURE = 'feature:thing'
const count = { of: 'num_outputs', price: 1 }

describe('a rule is refused when it is saved, with the field named:', () => {
  const bad: [what: string, subject: string, rule: unknown, paths: string[]][] = [
    // Numbers that are none.
    ['negative', OF_MODEL, { base: -1 }, ['rule.base']],
    ['negative in quotes', OF_MODEL, { base: '-1' }, ['rule.base']],
    ['a float', OF_MODEL, { base: 1.5 }, ['rule.base']],
    ['not a number', OF_MODEL, { base: Number.NaN }, ['rule.base']],
    ['NaN in quotes', OF_MODEL, { base: 'NaN' }, ['rule.base']],
    ['endless', OF_MODEL, { base: Number.POSITIVE_INFINITY }, ['rule.base']],
    ['an exponent', OF_MODEL, { base: '1e3' }, ['rule.base']],
    ['too precise', OF_MODEL, { base: '0.0000001' }, ['rule.base']],
    ['too large', OF_MODEL, { base: '1000000000.000001' }, ['rule.base']],
    ['larger than is exact', OF_MODEL, { base: 2 ** 53 }, ['rule.base']],
    ['with spaces', OF_MODEL, { base: ' 1' }, ['rule.base']],
    ['with zeros in front', OF_MODEL, { base: '01' }, ['rule.base']],
    ['null', OF_MODEL, { base: null }, ['rule.base']],
    ['a list', OF_MODEL, { base: [1] }, ['rule.base']],
    [
      'a factor too large',
      OF_MODEL,
      { base: 1, factors: [{ name: 'x', by: 1_001 }] },
      ['rule.factors.0.by'],
    ],
    [
      'growth below one',
      OF_MODEL,
      { base: 1, growth: [{ of: 'rounds', by: '0.9' }] },
      ['rule.growth.0.by'],
    ],
    [
      'a negative in a table',
      OF_MODEL,
      { base: 1, factors: [{ of: 'size', table: { S: '-1' } }] },
      ['rule.factors.0.table.S'],
    ],
    ['each zero', OF_MODEL, { units: [{ ...count, each: 0 }] }, ['rule.units.0.each']],
    ['a broken minimum', OF_MODEL, { base: 1, minimum: '5' }, ['rule.minimum']],
    ['maximum below minimum', OF_MODEL, { base: 1, minimum: 5, maximum: 4 }, ['rule.maximum']],
    // Forms that are none.
    ['no object', OF_MODEL, 5, ['rule']],
    ['nothing at all', OF_MODEL, {}, ['rule.base']],
    ['only factors', OF_MODEL, { factors: [{ name: 'x', by: 1 }] }, ['rule.base']],
    ['an unknown word', OF_MODEL, { base: 1, margin: 2 }, ['rule.margin']],
    [
      'an unknown word inside',
      OF_MODEL,
      { units: [{ ...count, prise: 1 }] },
      ['rule.units.0.prise'],
    ],
    [
      'a factor without a number',
      OF_MODEL,
      { base: 1, factors: [{ name: 'x' }] },
      ['rule.factors.0.by'],
    ],
    [
      'a factor that is both',
      OF_MODEL,
      { base: 1, factors: [{ name: 'x', by: 1, of: 'size', table: { S: 1 } }] },
      ['rule.factors.0.name', 'rule.factors.0.by'],
    ],
    [
      'an empty table',
      OF_MODEL,
      { base: 1, factors: [{ of: 'size', table: {} }] },
      ['rule.factors.0.table'],
    ],
    ['too many rows', OF_MODEL, { units: Array(21).fill(count) }, ['rule.units']],
    [
      'a field that is no name',
      OF_MODEL,
      { units: [{ of: '__proto__', price: 1 }] },
      ['rule.units.0.of'],
    ],
    // What the model does not have.
    [
      'an unknown parameter',
      OF_MODEL,
      { units: [{ of: 'duration', price: 1, max: 5, absent: 1 }] },
      ['rule.units.0.of'],
    ],
    [
      'an unknown parameter of a table',
      OF_MODEL,
      { base: 1, factors: [{ of: 'quality', table: { high: 2 }, else: 1 }] },
      ['rule.factors.0.of'],
    ],
    [
      'an unknown parameter of growth',
      OF_MODEL,
      { base: 1, growth: [{ of: 'iteration', by: 2, max: 3 }] },
      ['rule.growth.0.of'],
    ],
    [
      'a word of Object',
      OF_MODEL,
      { units: [{ of: 'constructor', price: 1, max: 1, absent: 0 }] },
      ['rule.units.0.of'],
    ],
    [
      'a list as a quantity',
      OF_MODEL,
      { units: [{ of: 'many', price: 1, max: 5, absent: 0 }] },
      ['rule.units.0.of'],
    ],
    [
      'a text as a quantity',
      OF_MODEL,
      { units: [{ of: 'size', price: 1, max: 5 }] },
      ['rule.units.0.of'],
    ],
    [
      'a quantity that may be negative',
      OF_MODEL,
      { units: [{ of: 'shift', price: 1 }] },
      ['rule.units.0.of'],
    ],
    [
      'growth by fractions',
      OF_MODEL,
      { base: 1, growth: [{ of: 'half', by: 2 }] },
      ['rule.growth.0.of'],
    ],
    [
      'growth without an end',
      OF_MODEL,
      { base: 1, growth: [{ of: 'depth', by: 2, absent: 0 }] },
      ['rule.growth.0.max'],
    ],
    [
      'a quantity without an end',
      OF_MODEL,
      { units: [{ of: 'depth', price: 1, absent: 0 }] },
      ['rule.units.0.max'],
    ],
    [
      'one that may be left out',
      OF_MODEL,
      { units: [{ of: 'depth', price: 1, max: 9 }] },
      ['rule.units.0.absent'],
    ],
    [
      'a table of one that may be left out',
      OF_MODEL,
      { base: 1, factors: [{ of: 'note', table: { a: 1 } }] },
      ['rule.factors.0.absent'],
    ],
    [
      'more than there can be',
      OF_MODEL,
      { units: [{ of: 'depth', price: 1, max: 9, absent: 10 }] },
      ['rule.units.0.absent'],
    ],
    [
      'a value that nobody can ask for',
      OF_MODEL,
      { base: 1, factors: [{ of: 'size', table: { S: 1, l: 2 } }] },
      ['rule.factors.0.table.l'],
    ],
    [
      'a number that nobody can ask for',
      OF_MODEL,
      { base: 1, factors: [{ of: 'num_outputs', table: { '5': 1 }, else: 1 }] },
      ['rule.factors.0.table.5'],
    ],
    [
      'no price for the usual value',
      OF_MODEL,
      { base: 1, factors: [{ of: 'size', table: { L: 2 } }] },
      ['rule.factors.0.table'],
    ],
    ['outputs squared', OF_MODEL, { units: [{ ...count, per: 'output' }] }, ['rule.units.0.per']],
    [
      'a table of a measure',
      OF_MODEL,
      { base: 1, factors: [{ of: 'seconds', table: { '5': 1 }, else: 1 }] },
      ['rule.factors.0.of'],
    ],
    [
      'growth by a measure',
      OF_MODEL,
      { base: 1, growth: [{ of: 'output_tokens', by: 2, max: 3 }] },
      ['rule.growth.0.of'],
    ],
    [
      'a measure once',
      OF_MODEL,
      { units: [{ of: 'seconds', price: 1, max: 5, per: 'job' }] },
      ['rule.units.0.per'],
    ],
    [
      'a measure without an end',
      OF_MODEL,
      { units: [{ of: 'megapixels', price: 1 }] },
      ['rule.units.0.max'],
    ],
    [
      'text without an end',
      OF_MODEL,
      { units: [{ of: 'output_tokens', price: 1, absent: 5 }] },
      ['rule.units.0.max'],
    ],
    [
      'input that is known anyhow',
      OF_MODEL,
      { units: [{ of: 'input_tokens', price: 1, absent: 5 }] },
      ['rule.units.0.absent'],
    ],
    [
      'images of a model that takes none',
      'model:gpt-5-mini',
      { units: [{ of: 'images', price: 1 }] },
      ['rule.units.0.of'],
    ],
    // What a feature does not have.
    ['outputs of a feature', OF_FEATURE, { per_output: 1 }, ['rule.per_output']],
    [
      'per output of a feature',
      OF_FEATURE,
      { units: [{ of: 'n', price: 1, max: 1, per: 'output' }] },
      ['rule.units.0.per'],
    ],
    [
      'a feature’s quantity without an end',
      OF_FEATURE,
      { units: [{ of: 'n', price: 1 }] },
      ['rule.units.0.max'],
    ],
    [
      'a feature’s growth without an end',
      OF_FEATURE,
      { base: 1, growth: [{ of: 'n', by: 2 }] },
      ['rule.growth.0.max'],
    ],
    // Too much.
    [
      'a price above all prices',
      OF_MODEL,
      { base: 1_000_000_000, per_output: 1 },
      ['rule.maximum'],
    ],
    [
      'factors above all prices',
      OF_MODEL,
      { base: 1, factors: Array(4).fill({ name: 'x', by: 1_000 }) },
      ['rule.maximum'],
    ],
    [
      'growth above all prices',
      OF_MODEL,
      { base: 1, growth: [{ of: 'rounds', by: 64 }] },
      ['rule.maximum'],
    ],
    [
      'the dearest choice above all prices',
      OF_MODEL,
      { base: 100_000_000, factors: [{ of: 'size', table: { S: 0, L: 11 } }] },
      ['rule.maximum'],
    ],
    [
      'the dearest choice, whichever it is',
      OF_MODEL,
      { base: 100_000_000, factors: [{ of: 'size', table: { S: 11, L: 0 } }] },
      ['rule.maximum'],
    ],
    [
      'a way too long for any maximum',
      OF_MODEL,
      {
        base: 1_000_000_000,
        factors: [
          { name: 'x', by: 1_000 },
          { name: 'y', by: 2 },
        ],
        maximum: 5,
      },
      ['rule.maximum'],
    ],
    [
      'a zero that hides it',
      OF_MODEL,
      {
        base: 1_000_000_000,
        factors: [
          { name: 'x', by: 1_000 },
          { name: 'y', by: 2 },
          { name: 'z', by: 0 },
        ],
      },
      ['rule.maximum'],
    ],
  ]
  test.each(bad)('%s', async (_, subject, rule, paths) => {
    const refused = await refusal(subject, rule)
    expect(refused).toMatchObject({ code: 'invalid_input', paths })
    for (const { message } of refused.details ?? []) expect(message.length).toBeGreaterThan(5)
  })

  test('all that is wrong at once', async () => {
    const { paths } = await refusal(OF_MODEL, {
      base: '1',
      units: [
        { of: 'nope', price: 1, max: 1, absent: 0 },
        { of: 'depth', price: 1 },
      ],
      factors: [{ of: 'size', table: { M: 1 }, else: 1 }],
    })
    expect(paths).toEqual([
      'rule.units.0.of',
      'rule.units.1.absent',
      'rule.units.1.max',
      'rule.factors.0.table.M',
    ])
  })

  test('a name that is code is not shown', async () => {
    const table = JSON.parse('{"__proto__": 2, "S": 1, "<b>": 1, "x y": 1}')
    const { paths, details } = await refusal(OF_MODEL, {
      base: 1,
      factors: [{ of: 'size', table }],
    })
    expect(
      paths?.every(path => /^rule\.factors\.0\.table\.(__proto__|\(unnamed\))$/.test(path)),
    ).toBe(true)
    expect(JSON.stringify(details)).not.toContain('<b>')
  })

  test('a subject that is not there', async () => {
    for (const [subject, code] of [
      ['model:none', 'model_not_found'],
      ['model:', 'model_not_found'],
      ['feature:', 'not_found'],
      ['feature:No Such', 'not_found'],
      ['feature:../x', 'not_found'],
      [`feature:${'x'.repeat(65)}`, 'not_found'],
      ['other:sdxl', 'not_found'],
      ['', 'not_found'],
    ] as const) {
      expect([subject, (await refusal(subject, { base: 1 })).code]).toEqual([subject, code])
    }
  })
})

describe('a rule that is good', () => {
  test('may use everything that there is', async () => {
    const rule = {
      base: 1,
      per_output: '0.5',
      units: [
        { of: 'depth', price: '0.1', each: 10, free: '1.5', per: 'job', max: 50, absent: 0 },
        { of: 'output_tokens', price: 1, each: 1_000, max: 4_000 },
        { of: 'input_tokens', price: 1, each: 1_000 },
        { of: 'compute_seconds', price: '0.01', absent: 60 },
        { of: 'megapixels', price: 1, max: 8, absent: 1 },
        { of: 'seconds', price: 1, max: 8 },
        count,
      ],
      factors: [
        { name: 'margin', by: '1.25' },
        { of: 'size', table: { S: 1, L: 2 } },
        { of: 'loud', table: { true: 2, false: 1 } },
        { of: 'note', table: { a: 1 }, else: 2 },
        { of: 'num_outputs', table: { '1': 1 }, else: '0.9' },
        { of: 'output_format', table: { png: 2, jpeg: 1, webp: 1 } },
        { of: 'shift', table: { '-1.5': 2 }, else: 1 },
      ],
      growth: [{ of: 'rounds', by: '1.2' }],
      additions: [{ of: 'half', price: '0.5', free: 1 }],
      minimum: 2,
      maximum: 1_000,
    }
    const saved = await set(OF_MODEL, rule)
    expect(saved.rule).toEqual(rule as never)
    expect(
      pricing.tryRule(hub.deps, { realm: null, subject: OF_MODEL, rule })?.tokens,
    ).toBeGreaterThan(2)
    await pricing.removeRule(hub.deps, SHELL, { realm: null, subject: OF_MODEL })
  })

  test('may cut a price that would be too much with its maximum', async () => {
    const rule = { base: 1, growth: [{ of: 'rounds', by: 64 }], maximum: 1_000_000_000 }
    await set(OF_MODEL, rule)
    await pricing.removeRule(hub.deps, SHELL, { realm: null, subject: OF_MODEL })
  })

  test('can be had for every model on sale, with its usual request as the example', async () => {
    const models = listModels(hub.deps)
    expect(models.length).toBeGreaterThan(40)
    for (const { name } of models) {
      const rule = { base: 1, per_output: 2, factors: [{ name: 'margin', by: '1.5' }] }
      const example = pricing.tryRule(hub.deps, { realm: null, subject: `model:${name}`, rule })
      expect([name, example?.tokens]).toEqual([name, 5])
    }
  })

  test('is kept by the model’s name when it is set by its id', async () => {
    const id = formatId('model', findModel(hub.deps, 'sdxl')?.id ?? 0)
    expect((await set(`model:${id}`, { base: 3 })).subject).toBe(OF_MODEL)
    await pricing.removeRule(hub.deps, SHELL, { realm: null, subject: OF_MODEL })
  })

  test('is never changed: a new version takes its place, and the same one is none', async () => {
    const subject = 'feature:versions'
    const realm = app.realms.live
    const rows = () =>
      hub.deps.db.sqlite
        .query(
          'SELECT version, rule, replaced_at IS NOT NULL AS gone FROM pricing_rules WHERE subject = ? ORDER BY version',
        )
        .values(subject)
    const audits = () =>
      hub.deps.db.sqlite
        .query(
          "SELECT action, realm_id, json_extract(details, '$.version') FROM audit_log WHERE subject = ? ORDER BY id",
        )
        .values(subject)
    await set(subject, { base: 1 }, realm)
    await set(subject, { base: 1 }, realm)
    expect((await set(subject, { base: 2 }, realm)).version).toBe(2)
    await pricing.removeRule(hub.deps, { ...SHELL, realm }, { realm, subject })
    await set(subject, { base: 1 }, realm)
    expect(rows()).toEqual([
      [1, '{"base":1}', 1],
      [2, '{"base":2}', 1],
      [3, '{"base":1}', 0],
    ])
    expect(audits()).toEqual([
      ['price.set', null, 1],
      ['price.set', null, 2],
      ['price.remove', realm.id, 2],
      ['price.set', null, 3],
    ])
  })

  test('is gone once: who comes second hears that there is none', async () => {
    const subject = 'feature:once'
    await set(subject, { base: 1 })
    const both = await Promise.allSettled(
      [1, 2].map(() => pricing.removeRule(hub.deps, SHELL, { realm: null, subject })),
    )
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    const again = pricing.removeRule(hub.deps, SHELL, { realm: null, subject })
    expect(again).rejects.toThrow('nothing here')
  })

  test('is one in force, whoever sets it at the same time', async () => {
    const subject = 'feature:crowd'
    await Promise.all(Array.from({ length: 20 }, (_, base) => set(subject, { base })))
    const rows = hub.deps.db.sqlite
      .query(
        'SELECT version, replaced_at IS NULL FROM pricing_rules WHERE subject = ? ORDER BY version',
      )
      .values(subject)
    expect(rows).toEqual(Array.from({ length: 20 }, (_, i) => [i + 1, i === 19 ? 1 : 0]))
  })

  test('is one of a bounded number', async () => {
    const { realms } = await testApp(hub.deps)
    const rules = Array.from({ length: 500 }, (_, i) =>
      set(`feature:f${i}`, { base: 1 }, realms.live),
    )
    await Promise.all(rules)
    expect(set('feature:more', { base: 1 }, realms.live)).rejects.toThrow('not valid')
    expect((await set('feature:f7', { base: 2 }, realms.live)).version).toBe(2)
    expect((await set('feature:more', { base: 1 }, realms.test)).version).toBe(1)
  })
})

test('a model that changed under its rule is refused, and never sold too dear or for a float', async () => {
  await set(OF_MODEL, {
    base: 1,
    units: [{ of: 'half', price: 100_000_000 }],
    factors: [{ of: 'size', table: { S: 1, L: 2 } }],
  }).catch(() => null)
  await set(OF_MODEL, {
    units: [{ of: 'half', price: 10_000_000 }],
    factors: [{ of: 'size', table: { S: 1, L: 2 } }],
  })
  const model = findModel(hub.deps, 'sdxl')
  if (!model) throw new Error('sdxl is gone')
  const input = {
    prompt: 'a',
    images: [],
    aspectRatio: null,
    numOutputs: 4,
    outputFormat: null,
    providerParams: {},
  }
  const quoteOf = (extra: Record<string, number | string>) =>
    pricing.quote(hub.deps, { realm: app.realms.live, model, input: { ...input, extra } })
  expect(quoteOf({ half: 10, size: 'L' }).tokens).toBe(800_000_000)
  for (const extra of [
    { half: 1 },
    { size: 'S' },
    { half: 50, size: 'L' },
    { half: -1, size: 'S' },
  ]) {
    expect(() => quoteOf(extra as never)).toThrow(AppError)
  }
})

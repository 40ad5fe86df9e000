import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { closeStages, MODEL, type Stage, stage } from '@test/domain/jobs/stage'
import { fakeProvider } from '@test/support/fake-provider'
import { AppError, type InputProblem } from '@/base/errors'
import type { ModelId } from '@/base/ids'
import type { Mode } from '@/deps'
import {
  type CheckedInput,
  checkInput,
  describeInput,
  findModel,
  type Model,
} from '@/domain/catalog'

let on: Stage

beforeAll(async () => {
  on = await stage({ providers: [fakeProvider({ name: 'fake' })], hub: { isRunning: false } })
})
afterAll(closeStages)

/** One model of each sort, whatever is shipped. */
const MODELS: Record<string, Partial<Model>> = {
  picture: {
    kind: 'image',
    aspectRatios: ['1:1', '16:9', '21:9'],
    inputSchema: schema({
      seed: { type: 'integer', minimum: 0, maximum: 2_147_483_647 },
      guidance: { type: 'number', minimum: 1, maximum: 10 },
      negative_prompt: { type: 'string', maxLength: 4_000 },
    }),
  },
  combine: {
    kind: 'image',
    maxInputImages: 4,
    aspectRatios: ['1:1', '3:2', '2:3', '16:9', '9:16'],
    inputSchema: schema({ quality: { type: 'string', enum: ['low', 'medium', 'high'] } }),
  },
  edit: { kind: 'image_edit', maxInputImages: 1, aspectRatios: ['1:1'] },
  upscale: {
    kind: 'upscale',
    maxInputImages: 1,
    supportsPrompt: false,
    aspectRatios: [],
    inputSchema: schema({ scale_factor: { type: 'integer', minimum: 2, maximum: 4, default: 2 } }),
  },
  text: { kind: 'text', aspectRatios: [] },
}

function schema(properties: Record<string, unknown>) {
  return { type: 'object', properties, additionalProperties: false }
}

function modelOf(name: string): Model {
  const base = findModel(on.deps, MODEL)
  const own = MODELS[name]
  if (!base || !own) throw new Error(`no model ${name}`)
  const id = (base.id + 1_000 + Object.keys(MODELS).indexOf(name)) as ModelId
  return { ...base, inputSchema: schema({}), ...own, name, id }
}

function check(model: string, input: unknown, mode: Mode = 'live'): CheckedInput {
  return checkInput(on.deps, modelOf(model), mode, input)
}

function problems(model: string, input: unknown, mode: Mode = 'live'): InputProblem[] {
  try {
    check(model, input, mode)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'invalid_input') throw error
    return error.detail.details as InputProblem[]
  }
  return []
}

const paths = (model: string, input: unknown, mode: Mode = 'live') =>
  problems(model, input, mode).map(problem => problem.path)

const OK = { prompt: 'a lighthouse' }
const IMAGE = 'https://images.example.com/input.jpg'
const KIB = 1024
/** Seven letters that stand in no sentence of ours. */
const CANARY = 'kqzvxwj'

describe('a good input', () => {
  test('gets its defaults', () => {
    expect(check('picture', OK)).toEqual({
      prompt: 'a lighthouse',
      images: [],
      aspectRatio: '1:1',
      numOutputs: 1,
      outputFormat: 'png',
      extra: {},
      providerParams: {},
    })
    expect(check('text', OK)).toMatchObject({ aspectRatio: null, outputFormat: null })
    expect(check('upscale', { images: [IMAGE] })).toMatchObject({
      prompt: null,
      images: [IMAGE],
      extra: { scale_factor: 2 },
    })
  })

  test('keeps what it says, the model’s own fields apart', () => {
    const input = {
      prompt: 'a lighthouse',
      images: [IMAGE, 'https://images.example.com/second.png?x=1'],
      aspect_ratio: '16:9',
      num_outputs: 4,
      output_format: 'webp',
      quality: 'high',
      provider_params: { fake: { deep: { er: [1, null, 'x'] } } },
    }
    expect(check('combine', input)).toEqual({
      prompt: 'a lighthouse',
      images: input.images,
      aspectRatio: '16:9',
      numOutputs: 4,
      outputFormat: 'webp',
      extra: { quality: 'high' },
      providerParams: { fake: { deep: { er: [1, null, 'x'] } } },
    })
  })

  test.each([
    ['of one byte', 'x'],
    ['of 32 KB', 'x'.repeat(32 * KIB)],
    ['of 32 KB in three-byte letters', '猫'.repeat(10_922)],
    ['of 32 KB in four-byte letters', '👋'.repeat(8 * KIB)],
    ['with control characters', 'a\u0000b\nc'],
  ])('may have a prompt %s', (_, prompt) => {
    expect(check('picture', { prompt }).prompt).toBe(prompt)
  })
})

describe('a bad input names the field', () => {
  const BAD: [string, string, unknown, string[]][] = [
    ['no input', 'picture', undefined, ['input']],
    ['null', 'picture', null, ['input']],
    ['a text', 'picture', CANARY, ['input']],
    ['a list', 'picture', [OK], ['input']],
    ['no prompt', 'picture', {}, ['input.prompt']],
    ['null for a prompt', 'picture', { prompt: null }, ['input.prompt']],
    ['a number for a prompt', 'picture', { prompt: 7 }, ['input.prompt']],
    ['an empty prompt', 'picture', { prompt: '' }, ['input.prompt']],
    ['a prompt a byte too long', 'picture', { prompt: 'x'.repeat(32 * KIB + 1) }, ['input.prompt']],
    [
      'a prompt too long in three-byte letters',
      'picture',
      { prompt: '猫'.repeat(10_923) },
      ['input.prompt'],
    ],
    [
      'a prompt too long in four-byte letters',
      'picture',
      { prompt: `${'👋'.repeat(8 * KIB)}x` },
      ['input.prompt'],
    ],
    ['a prompt where none is taken', 'upscale', { ...OK, images: [IMAGE] }, ['input.prompt']],
    ...[0, 5, -1, 1.5, '2', null, true, Number.NaN, Number.POSITIVE_INFINITY, [1]].map(
      (count): [string, string, unknown, string[]] => [
        `${JSON.stringify(count)} outputs`,
        'picture',
        { ...OK, num_outputs: count },
        ['input.num_outputs'],
      ],
    ),
    ['an unknown ratio', 'picture', { ...OK, aspect_ratio: '5:7' }, ['input.aspect_ratio']],
    [
      'a ratio that only another model has',
      'combine',
      { ...OK, aspect_ratio: '21:9' },
      ['input.aspect_ratio'],
    ],
    ['a ratio where none is taken', 'text', { ...OK, aspect_ratio: '1:1' }, ['input.aspect_ratio']],
    ['a number for a ratio', 'picture', { ...OK, aspect_ratio: 1 }, ['input.aspect_ratio']],
    ['an unknown format', 'picture', { ...OK, output_format: 'gif' }, ['input.output_format']],
    ['a format in capitals', 'picture', { ...OK, output_format: 'PNG' }, ['input.output_format']],
    ['a format of a text', 'text', { ...OK, output_format: 'png' }, ['input.output_format']],
    ['an unknown field', 'picture', { ...OK, colour: 'red' }, ['input.colour']],
    [
      'two unknown fields and a bad one',
      'picture',
      { ...OK, colour: 'red', size: 1, num_outputs: 9 },
      ['input.num_outputs', 'input.colour', 'input.size'],
    ],
    ['a field of another model', 'picture', { ...OK, quality: 'high' }, ['input.quality']],
    ['a seed below zero', 'picture', { ...OK, seed: -1 }, ['input.seed']],
    ['a seed of a fraction', 'picture', { ...OK, seed: 0.5 }, ['input.seed']],
    ['a seed beyond 31 bits', 'picture', { ...OK, seed: 2_147_483_648 }, ['input.seed']],
    ['too much guidance', 'picture', { ...OK, guidance: 11 }, ['input.guidance']],
    ['a quality that is none', 'combine', { ...OK, quality: 'ultra' }, ['input.quality']],
    ['a scale of one', 'upscale', { images: [IMAGE], scale_factor: 1 }, ['input.scale_factor']],
    [
      'a negative prompt that is too long',
      'picture',
      { ...OK, negative_prompt: 'x'.repeat(4_001) },
      ['input.negative_prompt'],
    ],
    ['images where none are taken', 'picture', { ...OK, images: [IMAGE] }, ['input.images']],
    ['no image where one is needed', 'edit', OK, ['input.images']],
    ['an empty list where one is needed', 'edit', { ...OK, images: [] }, ['input.images']],
    ['two images where one fits', 'edit', { ...OK, images: [IMAGE, IMAGE] }, ['input.images']],
    [
      'five images where four fit',
      'combine',
      { ...OK, images: Array(5).fill(IMAGE) },
      ['input.images'],
    ],
    ['one text for a list of images', 'combine', { ...OK, images: IMAGE }, ['input.images']],
    ['a number for an image', 'combine', { ...OK, images: [7] }, ['input.images.0']],
    ...[
      'http://images.example.com/input.jpg',
      'ftp://images.example.com/input.jpg',
      'file:///etc/passwd',
      'https://127.0.0.1/input.jpg',
      'https://10.0.0.1/',
      'https://169.254.169.254/latest/meta-data',
      'https://[::1]/',
      'https://[::ffff:127.0.0.1]/',
      'https://localhost/',
      'https://printer.local/',
      'https://images.example.com:8443/',
      'https://user:pass@images.example.com/',
      'https://2130706433/',
      'data:image/png;base64,iVBORw0KGgo=',
      'fil_0123456789a',
      'javascript:alert(1)',
      ' https://images.example.com/',
      '',
      `https://images.example.com/${'x'.repeat(5_000)}`,
    ].map((image): [string, string, unknown, string[]] => [
      `the image ${image.slice(0, 40)}`,
      'combine',
      { ...OK, images: [IMAGE, image] },
      ['input.images.1'],
    ]),
    [
      'parameters of a vendor that is not here',
      'picture',
      { ...OK, provider_params: { nobody: {} } },
      ['input.provider_params.nobody'],
    ],
    [
      'parameters that are no object',
      'picture',
      { ...OK, provider_params: 'x' },
      ['input.provider_params'],
    ],
    [
      'a vendor’s parameters that are no object',
      'picture',
      { ...OK, provider_params: { fake: [1] } },
      ['input.provider_params.fake'],
    ],
    [
      'parameters of the sandbox in a live job',
      'picture',
      { ...OK, provider_params: { sandbox: {} } },
      ['input.provider_params.sandbox'],
    ],
  ]
  test.each(BAD)('%s', (_, model, input, expected) => {
    expect(paths(model, input)).toEqual(expected)
  })

  test.each([
    ['an unknown field of the sandbox', { speed: 1 }, 'input.provider_params.sandbox.speed'],
    ['a latency below zero', { latency_ms: -1 }, 'input.provider_params.sandbox.latency_ms'],
    ['a mode that is none', { mode: 'later' }, 'input.provider_params.sandbox.mode'],
    ['a failure that is none', { fail: 'always' }, 'input.provider_params.sandbox.fail'],
  ])('in a test job: %s', (_, sandbox, path) => {
    expect(paths('picture', { ...OK, provider_params: { sandbox } }, 'test')).toEqual([path])
  })

  test('the sandbox’s parameters are taken in a test job', () => {
    const provider_params = { sandbox: { latency_ms: 5, mode: 'async', fail: 'rejected' } }
    expect(check('picture', { ...OK, provider_params }, 'test').providerParams).toMatchObject(
      provider_params,
    )
  })

  test('an unknown field is told where a vendor’s own fields go', () => {
    const [problem] = problems('picture', { ...OK, colour: 'red' })
    expect(problem?.message).toContain('input.provider_params')
  })
})

describe('what a caller sends is never sent back', () => {
  const SECRETS: [string, unknown][] = [
    ['a prompt', { prompt: { [CANARY]: CANARY } }],
    ['a ratio', { ...OK, aspect_ratio: CANARY }],
    ['a format', { ...OK, output_format: CANARY }],
    ['a count', { ...OK, num_outputs: CANARY }],
    ['a seed', { ...OK, seed: CANARY }],
    ['an unknown field’s value', { ...OK, colour: CANARY }],
    ['an unknown field’s name that is no word', { ...OK, [`<b>${CANARY} "'`]: 1 }],
    ['a very long field name', { ...OK, [CANARY.repeat(50)]: 1 }],
    ['parameters', { ...OK, provider_params: CANARY }],
    ['a vendor’s parameters', { ...OK, provider_params: { fake: CANARY } }],
  ]
  test.each(SECRETS)('%s', (_, input) => {
    const found = problems('picture', input)
    expect(found.length).toBeGreaterThan(0)
    expect(JSON.stringify(found)).not.toContain(CANARY)
  })

  test('an image’s address', () => {
    for (const image of [`http://${CANARY}.com/`, `https://u:${CANARY}@h.com/`, `fil_${CANARY}`]) {
      const found = problems('combine', { ...OK, images: [image] })
      expect(found.map(problem => problem.path)).toEqual(['input.images.0'])
      expect(JSON.stringify(found)).not.toContain(CANARY)
    }
  })
})

describe('no field of an object’s own making slips in', () => {
  const POISONS = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']
  const parsed = (text: string) => JSON.parse(text) as unknown

  test.each(POISONS)('%s is no field of an input', name => {
    const input = parsed(`{"prompt": "x", "${name}": {"polluted": true}}`)
    expect(paths('picture', input)).toEqual([`input.${name}`])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  test.each(POISONS)('%s is no vendor', name => {
    const input = parsed(`{"prompt": "x", "provider_params": {"${name}": {"polluted": true}}}`)
    expect(paths('picture', input)).toEqual([`input.provider_params.${name}`])
  })

  test('__proto__ among a vendor’s parameters changes no object', () => {
    const input = parsed(
      `{"prompt": "x", "provider_params": {"fake": {"steps": 1, "__proto__": {"polluted": true}}}}`,
    )
    const params = check('picture', input).providerParams.fake ?? {}
    expect(Object.keys(params)).toEqual(['steps'])
    expect(Object.getPrototypeOf(params)).toBe(Object.prototype)
    expect((params as Record<string, unknown>).polluted).toBeUndefined()
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
})

describe('what is published of a model’s input', () => {
  test('is a JSON Schema that says what the check says', () => {
    expect(describeInput(on.deps, modelOf('combine'))).toMatchObject({
      type: 'object',
      required: ['prompt'],
      additionalProperties: false,
      properties: {
        prompt: { type: 'string', minLength: 1 },
        num_outputs: { type: 'integer', minimum: 1, maximum: 4, default: 1 },
        quality: { enum: ['low', 'medium', 'high'] },
        images: { type: 'array', maxItems: 4 },
        aspect_ratio: { enum: ['1:1', '3:2', '2:3', '16:9', '9:16'], default: '1:1' },
      },
    })
  })

  test('changes when an operator changes the model', () => {
    const model = modelOf('picture')
    const before = describeInput(on.deps, model)
    expect(describeInput(on.deps, model)).toEqual(before)
    const changed = { ...model, maxInputImages: 2, updatedAt: model.updatedAt + 1 }
    expect(describeInput(on.deps, changed)).not.toEqual(before)
    expect(checkInput(on.deps, changed, 'live', { ...OK, images: [IMAGE] }).images).toEqual([IMAGE])
  })
})

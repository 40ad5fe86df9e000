import { describe, expect, test } from 'bun:test'
import { imageInput } from '@test/support/conformance'
import { mapInput, modelOf, namesOf, reservedNames } from '@/providers/map-input'
import type { Json, ProviderInput, RouteConfig } from '@/providers/spec'

const PICTURES = ['https://x.example/1.png', 'https://x.example/2.png']
const PLAIN = { aspectRatio: null, prompt: null }

/** What is sent of an input in which nothing is asked for but this. */
function sent(
  changes: Partial<ProviderInput>,
  ...names: [usual?: Parameters<typeof mapInput>[1], fixed?: Parameters<typeof mapInput>[2]]
) {
  const { num_outputs: _, ...body } = mapInput(imageInput({ ...PLAIN, ...changes }), ...names)
  return body
}

describe('our fields', () => {
  test('are sent by our names where nobody has others, and only those that are set', () => {
    expect(
      mapInput(
        imageInput({
          images: PICTURES,
          numOutputs: 2,
          outputFormat: 'jpeg',
          extra: { seed: 7, style: null },
        }),
        { images: 'images[]' },
      ),
    ).toEqual({
      seed: 7,
      prompt: 'a lighthouse at dawn',
      images: PICTURES,
      aspect_ratio: '1:1',
      num_outputs: 2,
      output_format: 'jpeg',
    })
    expect(mapInput(imageInput(PLAIN))).toEqual({ num_outputs: 1 })
  })

  test('go by the vendor’s names, over these by the route’s, over these by the fixed ones', () => {
    const extra = { a: 1, b: 2, c: 3, d: 4 }
    const config = { fields: { b: 'route_b', c: 'route_c', d: null } }
    const usual = { a: 'usual_a', b: 'usual_b', d: 'usual_d' }
    expect(sent({ extra, config }, usual, { c: 'fixed_c' })).toEqual({
      usual_a: 1,
      route_b: 2,
      fixed_c: 3,
    })
  })

  test('have other names where pictures are given', () => {
    const config: RouteConfig = {
      fields: { images: 'image_url', aspect_ratio: 'image_size' },
      with_images_fields: { images: 'start_image_url', aspect_ratio: null, seed: 'random' },
    }
    const extra = { seed: 7 }
    const aspectRatio = '1:1'
    expect(sent({ aspectRatio, extra, config })).toEqual({ seed: 7, image_size: '1:1' })
    expect(sent({ aspectRatio, extra, config, images: PICTURES })).toEqual({
      random: 7,
      start_image_url: PICTURES[0] as string,
    })
  })

  test('with other names there stay with an adapter that writes the pictures itself', () => {
    const config = { with_images_fields: { images: 'start_image', aspect_ratio: 'shape' } }
    const given = { aspectRatio: '1:1', images: PICTURES, config }
    expect(sent(given, {}, { images: null })).toEqual({ shape: '1:1' })
  })
})

describe('the form of a value', () => {
  test.each<[string, Json, { [key: string]: Json }]>([
    ['n', 5, { n: 5 }],
    ['n:text', 5, { n: '5' }],
    ['n:seconds', 5, { n: '5s' }],
    ['n:text', 0.5, { n: '0.5' }],
    ['n:text', 'five', { n: 'five' }],
    ['n:seconds', '5s', { n: '5s' }],
    ['n:seconds', true, { n: true }],
    ['n[]', 5, { n: [5] }],
    ['n[]', [5, 6], { n: [5, 6] }],
    ['n[]', [], { n: [] }],
    ['n', [5, 6], { n: 5 }],
    ['n', [], { n: null }],
    ['n', { a: 1 }, { n: { a: 1 } }],
    ['...', { a: 1, b: [2] }, { a: 1, b: [2] }],
    ['...', {}, {}],
    ['...', 'text', {}],
    ['...', [1, 2], {}],
  ])('as %p of %j is %j', (theirs, value, body) => {
    const extra = { ours: value }
    expect(sent({ extra, config: { fields: { ours: theirs } } })).toEqual(body)
    expect(sent({ extra }, { ours: theirs })).toEqual(body)
  })

  test('of a single picture is a list where the name says so', () => {
    const [first = ''] = PICTURES
    expect(sent({ images: [first] }, { images: 'urls[]' })).toEqual({ urls: [first] })
    expect(sent({ images: PICTURES }, { images: 'url' })).toEqual({ url: first })
  })
})

describe('an aspect ratio', () => {
  const of = (ratio: string, aspect_ratios: NonNullable<RouteConfig['aspect_ratios']>) =>
    sent({ aspectRatio: ratio, config: { aspect_ratios, fields: { aspect_ratio: 'size' } } })

  test('is a word, an object, nothing, or ours', () => {
    const words = { '1:1': 'square', '16:9': { width: 1_280, height: 720 }, '4:3': null }
    expect(of('1:1', words)).toEqual({ size: 'square' })
    expect(of('16:9', words)).toEqual({ size: { width: 1_280, height: 720 } })
    expect(of('4:3', words)).toEqual({})
    expect(of('3:2', words)).toEqual({ size: '3:2' })
  })

  test('is width and height apart for a vendor that has no field for both', () => {
    const config = {
      fields: { aspect_ratio: '...' },
      aspect_ratios: { '16:9': { width: 1_280, height: 720 } },
    }
    const params = { width: 9_999, steps: 4 }
    expect(sent({ aspectRatio: '16:9', config, params })).toEqual({
      width: 1_280,
      height: 720,
      steps: 4,
    })
    expect(sent({ aspectRatio: '1:1', config })).toEqual({})
  })

  test('and a format are looked up by nothing but their own names', () => {
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      expect(of(name, {})).toEqual({ size: name })
      const outputFormat = name as 'png'
      expect(sent({ outputFormat, config: { output_formats: {} } })).toEqual({
        output_format: name,
      })
    }
  })
})

describe('what is the caller’s', () => {
  test('goes along, and overwrites neither what the route fixes nor what was asked for', () => {
    const params = { mine: 1, quality: 'high', n: 9, text: 'mine', seed: 1 }
    const config = {
      constants: { quality: 'low', text: 'fixed', other: true },
      fields: { num_outputs: 'n', prompt: 'text' },
    }
    expect(mapInput(imageInput({ params, config, aspectRatio: null, extra: { seed: 7 } }))).toEqual(
      { mine: 1, quality: 'low', n: 1, text: 'a lighthouse at dawn', seed: 7, other: true },
    )
  })

  test('is not changed on the way', () => {
    const loras: Json = [{ path: 'x' }]
    const params = { loras }
    for (const part of [params, loras, loras[0]]) Object.freeze(part)
    expect(sent({ params })).toEqual({ loras: [{ path: 'x' }] })
  })

  test('may be called like what objects have, and so may a field of ours', () => {
    const odd = '{"__proto__":{"polluted":1},"constructor":"c","toString":2}'
    for (const given of [{ params: JSON.parse(odd) }, { extra: JSON.parse(odd) }]) {
      const body = sent(given)
      expect(JSON.parse(JSON.stringify(body))).toEqual(JSON.parse(odd))
      expect(Object.keys(body).sort()).toEqual(['__proto__', 'constructor', 'toString'])
      expect(Object.getPrototypeOf(body)).toBe(Object.prototype)
      expect(({} as { polluted?: number }).polluted).toBeUndefined()
    }
  })

  test('a name of ours that the route maps may be such a name too', () => {
    const fields = JSON.parse('{"seed":"__proto__","toString":null}')
    const body = sent({ extra: { seed: 7, toString: 'x', valueOf: 'y' }, config: { fields } })
    expect(JSON.stringify(body)).toBe('{"__proto__":7,"valueOf":"y"}')
  })
})

describe('names', () => {
  test('find nothing by prototype', () => {
    const names = namesOf(imageInput())
    for (const name of ['constructor', 'toString', '__proto__']) {
      expect(names[name]).toBeUndefined()
    }
  })

  test('that are ours are those of the vendor, of the route and of what it fixes', () => {
    const config: RouteConfig = {
      fields: { images: 'image_urls[]', seed: 'random:text', prompt: null },
      with_images_fields: { images: 'start_url' },
      aspect_ratios: { '1:1': { width: 1, height: 1 } },
      constants: { quality: 'low' },
    }
    const reserved = (changes: Partial<ProviderInput>) =>
      [...reservedNames(imageInput(changes), { prompt: 'prompt', format: 'fmt' })].sort()
    expect(reserved({ config })).toEqual(['fmt', 'image_urls', 'quality', 'random'])
    expect(reserved({ config, images: PICTURES })).toEqual([
      ...['fmt', 'quality', 'random', 'start_url'],
    ])
    const spread = { ...config, fields: { aspect_ratio: '...' } }
    expect(reserved({ config: spread })).toEqual(
      expect.arrayContaining(['width', 'height', 'quality', 'prompt']),
    )
  })
})

test('the model is another one only where pictures are given and the route names it', () => {
  const config = { with_images_model: 'edit' }
  const providerModel = 'make'
  expect(modelOf(imageInput({ providerModel, config }))).toBe('make')
  expect(modelOf(imageInput({ providerModel, config, images: PICTURES }))).toBe('edit')
  expect(modelOf(imageInput({ providerModel, images: PICTURES }))).toBe('make')
})

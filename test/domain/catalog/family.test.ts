import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type TestHub, testHub } from '@test/support/test-hub'
import { AppError, type InputProblem } from '@/base/errors'
import { formatId } from '@/base/ids'
import { findImageFamily, findModel, IMAGE_FAMILIES, modelOfFamily } from '@/domain/catalog'
import { MODELS } from '@/domain/catalog/seed/models'

let hub: TestHub
beforeAll(async () => {
  hub = await testHub({ isRunning: false })
})
afterAll(() => hub.close())

const pick = (word: string, model: string | null, pictures = 0) =>
  modelOfFamily(hub.deps, findImageFamily(word) ?? '', { model, pictures })
const sellOnly = (where: string) => {
  hub.deps.db.sqlite.run(`UPDATE models SET is_enabled = (${where})`)
  hub.deps.cache.clear()
}

test('every family has models on sale, and other words are none', () => {
  expect(IMAGE_FAMILIES.join(' ')).toBe(
    'flux ideogram runway recraft reve luma qwen seedream gemini chatgpt',
  )
  for (const word of IMAGE_FAMILIES) {
    const family = findImageFamily(word)
    expect([word, MODELS.some(model => model.family === family)]).toEqual([word, true])
  }
  for (const word of ['', 'Flux', 'gpt-image', 'kling', 'constructor', '__proto__']) {
    expect([word, findImageFamily(word)]).toEqual([word, null])
  }
})

describe('without a name it is', () => {
  // Written down, so that a change of a price that moves somebody's default is seen.
  const DEFAULTS: Record<string, [string, string]> = {
    flux: ['flux-schnell', 'flux-2-klein'],
    ideogram: ['ideogram-v3-turbo', 'ideogram-v3-turbo'],
    runway: ['runway-gen4-image', 'runway-gen4-image-turbo'],
    recraft: ['recraft-v3', 'recraft-v3'],
    reve: ['reve', 'reve-edit'],
    luma: ['luma-photon-flash', 'luma-photon-flash'],
    qwen: ['qwen-image', 'qwen-image-edit'],
    seedream: ['seedream-4', 'seedream-4'],
    gemini: ['nano-banana', 'nano-banana'],
    chatgpt: ['gpt-image-1.5', 'gpt-image-1.5'],
  }
  test.each(Object.entries(DEFAULTS))(
    'the cheapest of %s that takes no picture, or one: %p',
    (word, [without, withOne]) => {
      expect([pick(word, null), pick(word, null, 1)]).toEqual([without, withOne])
    },
  )
  test('one that takes as many pictures as come along, or the one that takes most', () => {
    expect(pick('reve', null, 2)).toBe('reve-remix')
    expect(pick('flux', null, 3)).toBe('flux-2-klein')
    expect(pick('flux', null, 4)).toBe('flux-2-pro')
    expect(pick('flux', null, 5)).toBe('flux-2-pro')
    expect(pick('gemini', null, 8)).toBe('nano-banana-2')
  })
  test('what is on sale now, and never a video', () => {
    sellOnly("name NOT IN ('flux-schnell', 'flux-2-klein')")
    // Two at the same price: by name.
    expect(pick('flux', null)).toBe('flux-2-dev')
    sellOnly("kind = 'video'")
    expect(pick('luma', null)).toBe('')
    sellOnly('1')
  })
})

describe('a name', () => {
  const problemOf = (word: string, model: string): InputProblem[] => {
    try {
      pick(word, model)
    } catch (error) {
      if (error instanceof AppError && error.code === 'invalid_input') {
        return error.detail.details as InputProblem[]
      }
    }
    return []
  }
  test('or an id of a picture model of the family is taken as it is', () => {
    const id = formatId('model', findModel(hub.deps, 'flux-kontext-pro')?.id ?? (0 as never))
    for (const model of ['flux-dev', 'flux-kontext-pro', id]) {
      expect(pick('flux', model)).toBe(model)
    }
  })
  test('of another family, or of a video, is refused with what there is', () => {
    const message = 'must make pictures and be of this family: luma-photon, luma-photon-flash'
    for (const model of ['luma-ray-2', 'flux-dev']) {
      expect(problemOf('luma', model)).toEqual([{ path: 'model', message }])
    }
  })
  test('that nobody sells is handed on, for whoever looks for it', () => {
    expect(pick('flux', 'no-such-model')).toBe('no-such-model')
  })
  test('is refused when nothing of the family is on sale', () => {
    sellOnly("family = 'sdxl'")
    const message = 'must be of this family, and none of it is on sale'
    expect(problemOf('flux', 'sdxl')).toEqual([{ path: 'model', message }])
    sellOnly('1')
  })
})

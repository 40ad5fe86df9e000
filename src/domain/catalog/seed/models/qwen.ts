import { NEGATIVE, SEED } from '../fields'
import { FAL_PAGES, GUESS, REPLICATE_PAGES } from '../prices'
import { MEGAPIXEL, USUAL, WIDE } from '../shapes'
import type { SeedModel } from '../types'

export const QWEN: readonly SeedModel[] = [
  {
    name: 'qwen-image',
    displayName: 'Qwen Image',
    kind: 'image',
    family: 'qwen-image',
    description: 'Open weights, strong at Chinese and English text.',
    tokenCost: 3,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED, negative_prompt: NEGATIVE },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/qwen-image',
        priority: 1,
        config: {
          fields: { aspect_ratio: 'image_size' },
          aspect_ratios: MEGAPIXEL,
          output_formats: { webp: 'png' },
          cost: { per_output: 20_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'qwen/qwen-image',
        priority: 2,
        // 21:9 is not among its ratios [unverified], and 16:9 is the widest.
        config: {
          aspect_ratios: { '21:9': '16:9' },
          outputs_per_call: 1,
          cost: { per_output: 25_000 },
        },
        price: REPLICATE_PAGES,
      },
    ],
  },
  {
    name: 'qwen-image-2',
    displayName: 'Qwen Image 2',
    kind: 'image',
    family: 'qwen-image',
    description: 'The second Qwen Image: longer texts in pictures.',
    tokenCost: 4,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: USUAL,
    fields: { seed: SEED, negative_prompt: NEGATIVE },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/qwen-image-2/text-to-image',
        priority: 1,
        config: {
          fields: { aspect_ratio: 'image_size' },
          aspect_ratios: MEGAPIXEL,
          cost: { per_output: 35_000 },
        },
        price: FAL_PAGES,
      },
    ],
  },
  {
    name: 'qwen-image-edit',
    displayName: 'Qwen Image Edit',
    kind: 'image_edit',
    family: 'qwen-image',
    description: 'Changes a picture, and the text in it, and keeps its shape.',
    tokenCost: 3,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: [],
    fields: { seed: SEED },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/qwen-image-edit',
        priority: 1,
        config: { output_formats: { webp: 'png' }, cost: { per_output: 30_000 } },
        price: GUESS,
      },
      {
        provider: 'replicate',
        providerModel: 'qwen/qwen-image-edit',
        priority: 2,
        config: { outputs_per_call: 1, cost: { per_output: 30_000 } },
        price: GUESS,
      },
    ],
  },
  {
    name: 'qwen-image-edit-plus',
    displayName: 'Qwen Image Edit Plus',
    kind: 'image_edit',
    family: 'qwen-image',
    description: 'Combines up to three pictures as the text says.',
    tokenCost: 4,
    maxInputImages: 3,
    supportsPrompt: true,
    aspectRatios: [],
    fields: { seed: SEED },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/qwen-image-edit-plus',
        priority: 1,
        config: { fields: { images: 'image_urls[]' }, cost: { per_output: 30_000 } },
        price: GUESS,
      },
      {
        provider: 'replicate',
        providerModel: 'qwen/qwen-image-edit-plus',
        priority: 2,
        config: {
          fields: { images: 'image[]' },
          outputs_per_call: 1,
          cost: { per_output: 30_000 },
        },
        price: REPLICATE_PAGES,
      },
    ],
  },
]

import { NEGATIVE, SEED } from '../fields'
import { FAL_PAGES, REPLICATE_PAGES } from '../prices'
import { MEGAPIXEL, WIDE } from '../shapes'
import type { SeedModel } from '../types'

/** It answers PNG whatever is asked for, and takes no field for it. */
const FAL = {
  fields: { aspect_ratio: 'image_size', output_format: null },
  aspect_ratios: MEGAPIXEL,
}
/** No negative prompt there, so it comes second; and of its ratios 2:1 is nearest to 21:9 [unverified]. */
const REPLICATE = {
  fields: { negative_prompt: null, output_format: null },
  aspect_ratios: { '21:9': '2:1' },
  outputs_per_call: 1,
}

export const IDEOGRAM: readonly SeedModel[] = [
  {
    name: 'ideogram-v3',
    displayName: 'Ideogram 3',
    kind: 'image',
    family: 'ideogram',
    description: 'Posters and logos: text in pictures.',
    tokenCost: 6,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED, negative_prompt: NEGATIVE },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/ideogram/v3',
        priority: 1,
        config: {
          ...FAL,
          constants: { rendering_speed: 'BALANCED' },
          cost: { per_output: 60_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'ideogram-ai/ideogram-v3-balanced',
        priority: 2,
        config: { ...REPLICATE, cost: { per_output: 60_000 } },
        price: REPLICATE_PAGES,
      },
    ],
  },
  {
    name: 'ideogram-v3-turbo',
    displayName: 'Ideogram 3 Turbo',
    kind: 'image',
    family: 'ideogram',
    description: 'Posters and logos at half the price, quickly.',
    tokenCost: 3,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED, negative_prompt: NEGATIVE },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/ideogram/v3',
        priority: 1,
        config: {
          ...FAL,
          constants: { rendering_speed: 'TURBO' },
          cost: { per_output: 30_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'ideogram-ai/ideogram-v3-turbo',
        priority: 2,
        config: { ...REPLICATE, cost: { per_output: 30_000 } },
        price: REPLICATE_PAGES,
      },
    ],
  },
  {
    name: 'ideogram-v3-quality',
    displayName: 'Ideogram 3 Quality',
    kind: 'image',
    family: 'ideogram',
    description: 'Posters and logos, as good as Ideogram makes them.',
    tokenCost: 9,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED, negative_prompt: NEGATIVE },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/ideogram/v3',
        priority: 1,
        config: {
          ...FAL,
          constants: { rendering_speed: 'QUALITY' },
          cost: { per_output: 90_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'ideogram-ai/ideogram-v3-quality',
        priority: 2,
        config: { ...REPLICATE, cost: { per_output: 90_000 } },
        price: REPLICATE_PAGES,
      },
    ],
  },
]

import { RESOLUTION } from '../fields'
import { FAL_PAGES, GUESS, REPLICATE_PAGES } from '../prices'
import { FOUR_MEGAPIXELS, WIDE } from '../shapes'
import type { SeedModel } from '../types'

/**
 * fal takes a size, which says ratio and resolution at once: by this route a picture has four megapixels
 * whatever resolution was asked for, so it comes after one that does as it is told.
 */
const FAL = {
  fields: {
    aspect_ratio: 'image_size',
    images: 'image_urls[]',
    resolution: null,
    output_format: null,
  },
  aspect_ratios: FOUR_MEGAPIXELS,
}
const REPLICATE = {
  fields: { images: 'image_input[]', resolution: 'size', output_format: null },
  outputs_per_call: 1,
}

export const SEEDREAM: readonly SeedModel[] = [
  {
    name: 'seedream-4',
    displayName: 'Seedream 4',
    kind: 'image',
    family: 'seedream',
    description: 'Sharp pictures up to 4K, with reference pictures.',
    tokenCost: 4,
    maxInputImages: 6,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { resolution: RESOLUTION },
    routes: [
      {
        provider: 'replicate',
        providerModel: 'bytedance/seedream-4',
        priority: 1,
        config: { ...REPLICATE, cost: { per_output: 30_000 } },
        price: REPLICATE_PAGES,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/bytedance/seedream/v4/text-to-image',
        priority: 2,
        config: {
          ...FAL,
          with_images_model: 'fal-ai/bytedance/seedream/v4/edit',
          cost: { per_output: 30_000 },
        },
        price: GUESS,
      },
    ],
  },
  {
    name: 'seedream-4.5',
    displayName: 'Seedream 4.5',
    kind: 'image',
    family: 'seedream',
    description: 'Seedream with better faces and small print, 2K or 4K.',
    tokenCost: 5,
    maxInputImages: 6,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { resolution: { type: 'string', enum: ['2K', '4K'] } },
    routes: [
      {
        provider: 'replicate',
        providerModel: 'bytedance/seedream-4.5',
        priority: 1,
        config: { ...REPLICATE, cost: { per_output: 40_000 } },
        price: REPLICATE_PAGES,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/bytedance/seedream/v4.5/text-to-image',
        priority: 2,
        config: {
          ...FAL,
          with_images_model: 'fal-ai/bytedance/seedream/v4.5/edit',
          cost: { per_output: 40_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'openrouter',
        providerModel: 'bytedance-seed/seedream-4.5',
        priority: 3,
        config: { cost: { per_output: 40_000 } },
        price: GUESS,
      },
    ],
  },
  {
    name: 'seedream-5-lite',
    displayName: 'Seedream 5 Lite',
    kind: 'image',
    family: 'seedream',
    description: 'The fifth Seedream in its small size, from text.',
    tokenCost: 4,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: {},
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/bytedance/seedream/v5/lite/text-to-image',
        priority: 1,
        config: { ...FAL, cost: { per_output: 35_000 } },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'bytedance/seedream-5-lite',
        priority: 2,
        config: { ...REPLICATE, cost: { per_output: 35_000 } },
        price: GUESS,
      },
    ],
  },
]

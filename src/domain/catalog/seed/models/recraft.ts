import { FAL_PAGES, GUESS, REPLICATE_PAGES } from '../prices'
import { MEGAPIXEL, USUAL, WIDE } from '../shapes'
import type { SeedModel } from '../types'

/** It makes one picture a call, in a format of its own choice. */
const FAL = {
  fields: { aspect_ratio: 'image_size', num_outputs: null, output_format: null },
  aspect_ratios: MEGAPIXEL,
  outputs_per_call: 1,
}
const REPLICATE = { fields: { output_format: null }, outputs_per_call: 1 }
/**
 * Not `vector_illustration`: it answers with SVG, which may hold a script and which no output is served as,
 * so whoever asked for it would wait for a refund.
 */
const STYLE = { type: 'string', enum: ['realistic_image', 'digital_illustration'] }

export const RECRAFT: readonly SeedModel[] = [
  {
    name: 'recraft-v3',
    displayName: 'Recraft 3',
    kind: 'image',
    family: 'recraft',
    description: 'Design-minded pictures in a chosen style.',
    tokenCost: 4,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { style: STYLE },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/recraft/v3/text-to-image',
        priority: 1,
        config: { ...FAL, cost: { per_output: 40_000 } },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'recraft-ai/recraft-v3',
        priority: 2,
        // 21:9 is not among its ratios [unverified], and 2:1 is the widest.
        config: { ...REPLICATE, aspect_ratios: { '21:9': '2:1' }, cost: { per_output: 40_000 } },
        price: REPLICATE_PAGES,
      },
    ],
  },
  {
    name: 'recraft-v4',
    displayName: 'Recraft 4',
    kind: 'image',
    family: 'recraft',
    description: 'Design-minded pictures whose style follows from the text.',
    tokenCost: 4,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: USUAL,
    fields: {},
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/recraft/v4/text-to-image',
        priority: 1,
        config: { ...FAL, cost: { per_output: 40_000 } },
        price: GUESS,
      },
      {
        provider: 'replicate',
        providerModel: 'recraft-ai/recraft-v4',
        priority: 2,
        config: { ...REPLICATE, cost: { per_output: 40_000 } },
        price: GUESS,
      },
    ],
  },
]

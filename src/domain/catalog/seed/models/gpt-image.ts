import { QUALITY } from '../fields'
import { FAL_PAGES, GUESS, OPENAI_PAGES, RESELLERS } from '../prices'
import { FREE_PIXELS, FREE_SIZES, OPENAI, THREE_SIZES } from '../shapes'
import type { SeedModel } from '../types'

/** Left to themselves some of the vendors make the best and dearest quality, four times the price. */
const MEDIUM = { quality: 'medium' }
const DIRECT = { aspect_ratios: FREE_SIZES, constants: MEDIUM }
const FAL = { fields: { aspect_ratio: 'image_size', images: 'image_urls[]' }, constants: MEDIUM }
const REPLICATE = {
  fields: { images: 'input_images[]', num_outputs: 'number_of_images' },
  // Three ratios there, of which these are nearest to a screen's.
  aspect_ratios: { '16:9': '3:2', '9:16': '2:3' },
  output_formats: { jpeg: 'jpeg' },
  constants: MEDIUM,
}

export const GPT_IMAGE: readonly SeedModel[] = [
  {
    name: 'gpt-image-1.5',
    displayName: 'GPT Image 1.5',
    kind: 'image',
    family: 'gpt-image',
    description:
      'Follows long instructions and renders text; takes pictures as a start. OpenAI ends it on 2026-12-01; where nobody serves it any more, GPT Image 2 answers.',
    tokenCost: 5,
    maxInputImages: 4,
    supportsPrompt: true,
    aspectRatios: [...OPENAI],
    fields: { quality: QUALITY },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/gpt-image-1.5',
        priority: 1,
        config: {
          ...FAL,
          aspect_ratios: THREE_SIZES,
          with_images_model: 'fal-ai/gpt-image-1.5/edit',
          cost: { per_output: 34_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'openai/gpt-image-1.5',
        priority: 2,
        config: { ...REPLICATE, cost: { per_output: 50_000 } },
        price: GUESS,
      },
      {
        provider: 'defapi',
        providerModel: 'openai/gpt-image-1.5',
        priority: 3,
        // It takes one of three formats, but by no name that we know.
        config: {
          aspect_ratios: THREE_SIZES,
          constants: MEDIUM,
          cost: { per_output: 20_000 },
        },
        price: GUESS,
      },
      {
        provider: 'openai',
        // Not the model of this name, which has days left there, but the one that will be there after it.
        providerModel: 'gpt-image-2',
        priority: 4,
        config: { ...DIRECT, cost: { per_output: 53_000 } },
        price: RESELLERS,
      },
    ],
  },
  {
    name: 'gpt-image-2',
    displayName: 'GPT Image 2',
    kind: 'image',
    family: 'gpt-image',
    description: 'OpenAI’s picture model with free sizes.',
    tokenCost: 8,
    maxInputImages: 4,
    supportsPrompt: true,
    aspectRatios: [...OPENAI],
    fields: { quality: QUALITY },
    routes: [
      {
        provider: 'openai',
        providerModel: 'gpt-image-2',
        priority: 1,
        config: { ...DIRECT, cost: { per_output: 53_000 } },
        price: RESELLERS,
      },
      {
        provider: 'fal',
        providerModel: 'openai/gpt-image-2',
        priority: 2,
        config: {
          ...FAL,
          aspect_ratios: FREE_PIXELS,
          with_images_model: 'openai/gpt-image-2/edit',
          cost: { per_output: 60_000 },
        },
        price: RESELLERS,
      },
      {
        provider: 'replicate',
        providerModel: 'openai/gpt-image-2',
        priority: 3,
        config: { ...REPLICATE, cost: { per_output: 60_000 } },
        price: GUESS,
      },
      {
        provider: 'defapi',
        providerModel: 'openai/gpt-image-2',
        priority: 4,
        config: {
          aspect_ratios: { '3:2': 'auto', '2:3': 'auto' },
          constants: MEDIUM,
          cost: { per_output: 30_000 },
        },
        price: GUESS,
      },
    ],
  },
  {
    name: 'gpt-image-2.5-flare',
    displayName: 'GPT Image 2.5 Flare',
    kind: 'image',
    family: 'gpt-image',
    description: 'OpenAI’s quick picture model of September 2026.',
    tokenCost: 8,
    maxInputImages: 4,
    supportsPrompt: true,
    aspectRatios: [...OPENAI],
    fields: { quality: QUALITY },
    routes: [
      {
        provider: 'openai',
        providerModel: 'gpt-image-2.5-flare',
        priority: 1,
        config: { ...DIRECT, cost: { per_output: 53_000 } },
        price: GUESS,
      },
      {
        provider: 'fal',
        providerModel: 'openai/gpt-image-2.5/flare/text-to-image',
        priority: 2,
        config: {
          ...FAL,
          aspect_ratios: FREE_PIXELS,
          with_images_model: 'openai/gpt-image-2.5/flare/edit',
          cost: { per_output: 60_000 },
        },
        price: GUESS,
      },
    ],
  },
  {
    name: 'gpt-image-2.6-flare',
    displayName: 'GPT Image 2.6 Flare',
    kind: 'image',
    family: 'gpt-image',
    description: 'OpenAI’s quick picture model of November 2026: posters and product pictures.',
    tokenCost: 8,
    maxInputImages: 4,
    supportsPrompt: true,
    aspectRatios: [...OPENAI],
    fields: { quality: QUALITY },
    routes: [
      {
        provider: 'openai',
        providerModel: 'gpt-image-2.6-flare',
        priority: 1,
        config: { ...DIRECT, cost: { per_output: 53_000 } },
        price: GUESS,
      },
    ],
  },
  {
    name: 'gpt-image-2.6-sunburst',
    displayName: 'GPT Image 2.6 Sunburst',
    kind: 'image',
    family: 'gpt-image',
    description:
      'OpenAI’s careful picture model of November 2026: fine detail, edits that keep faces.',
    tokenCost: 8,
    maxInputImages: 4,
    supportsPrompt: true,
    aspectRatios: [...OPENAI],
    fields: { quality: QUALITY },
    routes: [
      {
        provider: 'openai',
        providerModel: 'gpt-image-2.6-sunburst',
        priority: 1,
        // 30 dollars for a million tokens of picture, of which a medium one has about 1,760.
        config: { ...DIRECT, cost: { per_output: 53_000 } },
        price: OPENAI_PAGES,
      },
    ],
  },
]

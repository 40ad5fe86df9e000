import { SEED } from '../fields'
import { FAL_PAGES, GUESS, REPLICATE_PAGES, RESELLERS } from '../prices'
import { MEGAPIXEL, USUAL, WIDE } from '../shapes'
import type { PriceSource, SeedModel, SeedRoute } from '../types'

/** fal's open FLUX endpoints want a size and know two formats. */
const FAL_OPEN = {
  fields: { aspect_ratio: 'image_size' },
  aspect_ratios: MEGAPIXEL,
  output_formats: { webp: 'png' },
}
/** The same for those of the second generation that make one picture a call and change pictures elsewhere. */
const FAL_2 = {
  fields: { aspect_ratio: 'image_size', images: 'image_urls[]', num_outputs: null },
  aspect_ratios: MEGAPIXEL,
  output_formats: { webp: 'png' },
  outputs_per_call: 1,
}
/** The makers' own rates, a cent a credit. Each answer tells what it costs, so they count where none came. */
const BFL_PAGES: PriceSource = {
  source: 'docs.bfl.ai, pricing page, as it was quoted then',
  date: '2026-06',
  certainty: 'published',
}
/** The makers' endpoints of the second generation take sides and no ratio; a megapixel costs the least. */
const BFL_2 = { fields: { aspect_ratio: '...' }, aspect_ratios: MEGAPIXEL }
/** Before that sides were multiples of 32, and these are within a third of a percent of the ratio. */
const BFL_1 = {
  ...BFL_2,
  aspect_ratios: {
    ...MEGAPIXEL,
    '16:9': { width: 1_312, height: 736 },
    '9:16': { width: 736, height: 1_312 },
  },
}
const REPLICATE_2 = { fields: { images: 'input_images[]' }, outputs_per_call: 1 }

export const FLUX: readonly SeedModel[] = [
  {
    name: 'flux-schnell',
    displayName: 'FLUX.1 schnell',
    kind: 'image',
    family: 'flux',
    description: 'Fast pictures from text, for drafts and previews.',
    tokenCost: 1,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED },
    routes: [
      {
        provider: 'replicate',
        providerModel: 'black-forest-labs/flux-schnell',
        priority: 1,
        config: { fields: { num_outputs: 'num_outputs' }, cost: { per_output: 3_000 } },
        price: REPLICATE_PAGES,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/flux/schnell',
        priority: 2,
        config: { ...FAL_OPEN, cost: { per_output: 3_000 } },
        price: FAL_PAGES,
      },
    ],
  },
  {
    name: 'flux-dev',
    displayName: 'FLUX.1 dev',
    kind: 'image',
    family: 'flux',
    description: 'Detailed pictures from text.',
    tokenCost: 3,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED, guidance: { type: 'number', minimum: 1, maximum: 10 } },
    routes: [
      {
        provider: 'replicate',
        providerModel: 'black-forest-labs/flux-dev',
        priority: 1,
        config: { fields: { num_outputs: 'num_outputs' }, cost: { per_output: 25_000 } },
        price: REPLICATE_PAGES,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/flux/dev',
        priority: 2,
        config: {
          ...FAL_OPEN,
          fields: { ...FAL_OPEN.fields, guidance: 'guidance_scale' },
          cost: { per_output: 25_000 },
        },
        price: FAL_PAGES,
      },
    ],
  },
  {
    name: 'flux-1.1-pro',
    displayName: 'FLUX 1.1 pro',
    kind: 'image',
    family: 'flux',
    description: 'Polished pictures from text.',
    tokenCost: 5,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: USUAL,
    fields: { seed: SEED },
    routes: [
      {
        provider: 'replicate',
        providerModel: 'black-forest-labs/flux-1.1-pro',
        priority: 1,
        config: { outputs_per_call: 1, cost: { per_output: 40_000 } },
        price: REPLICATE_PAGES,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/flux-pro/v1.1',
        priority: 2,
        config: { ...FAL_OPEN, cost: { per_output: 40_000 } },
        price: RESELLERS,
      },
      bfl('flux-pro-1.1', 3, 40_000, BFL_1),
    ],
  },
  {
    name: 'flux-1.1-pro-ultra',
    displayName: 'FLUX 1.1 pro ultra',
    kind: 'image',
    family: 'flux',
    description: 'Four megapixels from text; raw makes them look less processed.',
    tokenCost: 7,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED, raw: { type: 'boolean' } },
    routes: [
      {
        provider: 'replicate',
        providerModel: 'black-forest-labs/flux-1.1-pro-ultra',
        priority: 1,
        // Its other models of that maker know webp, this one does not.
        config: {
          output_formats: { webp: 'png' },
          outputs_per_call: 1,
          cost: { per_output: 60_000 },
        },
        price: REPLICATE_PAGES,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/flux-pro/v1.1-ultra',
        priority: 2,
        config: { output_formats: { webp: 'png' }, cost: { per_output: 60_000 } },
        price: FAL_PAGES,
      },
      bfl('flux-pro-1.1-ultra', 3, 60_000),
    ],
  },
  {
    name: 'flux-kontext-pro',
    displayName: 'FLUX.1 Kontext pro',
    kind: 'image_edit',
    family: 'flux',
    description: 'Changes a picture as the text says.',
    tokenCost: 5,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED },
    routes: [
      {
        provider: 'replicate',
        providerModel: 'black-forest-labs/flux-kontext-pro',
        priority: 1,
        config: {
          fields: { images: 'input_image' },
          output_formats: { webp: 'png' },
          outputs_per_call: 1,
          cost: { per_output: 40_000 },
        },
        price: REPLICATE_PAGES,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/flux-pro/kontext',
        priority: 2,
        config: { output_formats: { webp: 'png' }, cost: { per_output: 40_000 } },
        price: FAL_PAGES,
      },
      bfl('flux-kontext-pro', 3, 40_000),
    ],
  },
  {
    name: 'flux-kontext-max',
    displayName: 'FLUX.1 Kontext max',
    kind: 'image_edit',
    family: 'flux',
    description: 'Changes a picture as the text says, with care for lettering.',
    tokenCost: 9,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED },
    routes: [
      {
        provider: 'replicate',
        providerModel: 'black-forest-labs/flux-kontext-max',
        priority: 1,
        config: {
          fields: { images: 'input_image' },
          output_formats: { webp: 'png' },
          outputs_per_call: 1,
          cost: { per_output: 80_000 },
        },
        price: REPLICATE_PAGES,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/flux-pro/kontext/max',
        priority: 2,
        config: { output_formats: { webp: 'png' }, cost: { per_output: 80_000 } },
        price: FAL_PAGES,
      },
      // An account has six of these at once, and 24 of the others.
      { ...bfl('flux-kontext-max', 3, 80_000), maxConcurrent: 6 },
    ],
  },
  {
    name: 'flux-2-pro',
    displayName: 'FLUX.2 pro',
    kind: 'image',
    family: 'flux',
    description: 'Photographs from text, or from up to four pictures and a text.',
    // The pictures that go in are paid by the megapixel too.
    tokenCost: 6,
    maxInputImages: 4,
    supportsPrompt: true,
    aspectRatios: USUAL,
    fields: { seed: SEED },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/flux-2-pro',
        priority: 1,
        config: {
          ...FAL_2,
          with_images_model: 'fal-ai/flux-2-pro/edit',
          cost: { per_output: 30_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'black-forest-labs/flux-2-pro',
        priority: 2,
        config: { ...REPLICATE_2, cost: { per_output: 30_000 } },
        price: REPLICATE_PAGES,
      },
      {
        provider: 'openrouter',
        providerModel: 'black-forest-labs/flux.2-pro',
        priority: 3,
        // It tells what a call cost.
        config: { cost: { per_output: 30_000 } },
        price: GUESS,
      },
      bfl('flux-2-pro', 4, 30_000, BFL_2),
    ],
  },
  {
    name: 'flux-2-flex',
    displayName: 'FLUX.2 flex',
    kind: 'image',
    family: 'flux',
    description: 'Pictures with much lettering, from text and up to four pictures.',
    tokenCost: 10,
    maxInputImages: 4,
    supportsPrompt: true,
    aspectRatios: USUAL,
    fields: { seed: SEED, guidance: { type: 'number', minimum: 1.5, maximum: 10 } },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/flux-2-flex',
        priority: 1,
        config: {
          ...FAL_2,
          fields: { ...FAL_2.fields, guidance: 'guidance_scale' },
          with_images_model: 'fal-ai/flux-2-flex/edit',
          cost: { per_output: 60_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'black-forest-labs/flux-2-flex',
        priority: 2,
        config: { ...REPLICATE_2, cost: { per_output: 60_000 } },
        price: GUESS,
      },
      bfl('flux-2-flex', 3, 50_000, BFL_2),
    ],
  },
  {
    name: 'flux-2-dev',
    displayName: 'FLUX.2 dev',
    kind: 'image',
    family: 'flux',
    description: 'The open FLUX.2, from text and up to three pictures.',
    tokenCost: 3,
    maxInputImages: 3,
    supportsPrompt: true,
    aspectRatios: USUAL,
    fields: { seed: SEED },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/flux-2',
        priority: 1,
        config: {
          fields: { aspect_ratio: 'image_size', images: 'image_urls[]' },
          aspect_ratios: MEGAPIXEL,
          with_images_model: 'fal-ai/flux-2/edit',
          cost: { per_output: 12_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'black-forest-labs/flux-2-dev',
        priority: 2,
        config: { ...REPLICATE_2, cost: { per_output: 12_000 } },
        price: GUESS,
      },
    ],
  },
  {
    name: 'flux-2-klein',
    displayName: 'FLUX.2 klein',
    kind: 'image',
    family: 'flux',
    description: 'FLUX.2 in about a second, from text and up to three pictures.',
    tokenCost: 2,
    maxInputImages: 3,
    supportsPrompt: true,
    aspectRatios: USUAL,
    fields: { seed: SEED },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/flux-2/klein/9b',
        priority: 1,
        config: {
          fields: { aspect_ratio: 'image_size', images: 'image_urls[]' },
          aspect_ratios: MEGAPIXEL,
          with_images_model: 'fal-ai/flux-2/klein/9b/edit',
          cost: { per_output: 6_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        // The smaller of its two; how it calls the pictures is unverified.
        providerModel: 'black-forest-labs/flux-2-klein-4b',
        priority: 2,
        config: { ...REPLICATE_2, fields: { images: 'images[]' }, cost: { per_output: 10_000 } },
        price: GUESS,
      },
      bfl('flux-2-klein-9b', 3, 15_000, BFL_2),
    ],
  },
]

/** By the makers themselves, at micro-USD for a picture. */
function bfl(
  providerModel: string,
  priority: number,
  per_output: number,
  config: SeedRoute['config'] = {},
): SeedRoute {
  const cost = { per_output }
  return { provider: 'bfl', providerModel, priority, config: { ...config, cost }, price: BFL_PAGES }
}

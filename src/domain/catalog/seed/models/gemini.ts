import { RESOLUTION } from '../fields'
import { FAL_PAGES, GUESS, REPLICATE_PAGES, RESELLERS } from '../prices'
import { GOOGLE } from '../shapes'
import type { SeedModel } from '../types'

const FAL = { fields: { images: 'image_urls[]' } }
/** Of formats it knows jpg and png. */
const REPLICATE = {
  fields: { images: 'image_input[]' },
  output_formats: { webp: 'png' },
  outputs_per_call: 1,
}
/** Models that draw in the middle of a talk are asked by chat there. */
const OPENROUTER = { constants: { modalities: ['image', 'text'] } }

/**
 * Google keeps its picture models for about a year and replaces them by the next: `gemini-2.5-flash-image`
 * ended on 2026-10-02 and `gemini-3.1-flash-image` on 2026-10-29. `gemini-nano-banana-2.1` is what Google
 * names instead of both, so by Google itself the first two names below are answered by that one.
 */
const SUCCESSOR = 'gemini-nano-banana-2.1'

export const GEMINI: readonly SeedModel[] = [
  {
    name: 'nano-banana',
    displayName: 'Nano Banana',
    kind: 'image',
    family: 'gemini',
    description:
      'Google’s fast picture model; edits and combines pictures. Google ended its first version in October 2026, and Nano Banana 2.1 answers under this name.',
    tokenCost: 4,
    maxInputImages: 3,
    supportsPrompt: true,
    aspectRatios: GOOGLE,
    fields: {},
    routes: [
      {
        provider: 'gemini',
        providerModel: SUCCESSOR,
        priority: 1,
        config: { cost: { per_output: 33_600 } },
        price: RESELLERS,
      },
      {
        provider: 'fal',
        // These two still list the first version; whether it answers there is unverified.
        providerModel: 'fal-ai/nano-banana',
        priority: 2,
        config: {
          ...FAL,
          with_images_model: 'fal-ai/nano-banana/edit',
          cost: { per_output: 39_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'google/nano-banana',
        priority: 3,
        config: { ...REPLICATE, cost: { per_output: 39_000 } },
        price: REPLICATE_PAGES,
      },
      {
        provider: 'defapi',
        providerModel: 'google/nano-banana',
        priority: 4,
        // It tells what a call cost.
        config: { cost: { per_output: 20_000 } },
        price: GUESS,
      },
    ],
  },
  {
    name: 'nano-banana-2',
    displayName: 'Nano Banana 2',
    kind: 'image',
    family: 'gemini',
    description:
      'Google’s second Nano Banana, with up to eight pictures to work from; by Google itself its successor 2.1 answers.',
    tokenCost: 8,
    maxInputImages: 8,
    supportsPrompt: true,
    aspectRatios: GOOGLE,
    fields: {},
    routes: [
      {
        provider: 'gemini',
        providerModel: SUCCESSOR,
        priority: 1,
        config: { cost: { per_output: 33_600 } },
        price: RESELLERS,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/nano-banana-2',
        priority: 2,
        config: {
          ...FAL,
          with_images_model: 'fal-ai/nano-banana-2/edit',
          constants: { resolution: '1K' },
          cost: { per_output: 80_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'google/nano-banana-2',
        priority: 3,
        config: { ...REPLICATE, constants: { resolution: '1K' }, cost: { per_output: 80_000 } },
        price: GUESS,
      },
    ],
  },
  {
    name: 'nano-banana-2-lite',
    displayName: 'Nano Banana 2 Lite',
    kind: 'image',
    family: 'gemini',
    description: 'Google’s quickest picture model: a megapixel in about four seconds.',
    tokenCost: 4,
    maxInputImages: 3,
    supportsPrompt: true,
    aspectRatios: GOOGLE,
    fields: {},
    routes: [
      {
        provider: 'gemini',
        providerModel: 'gemini-3.1-flash-lite-image',
        priority: 1,
        config: { cost: { per_output: 34_000 } },
        price: RESELLERS,
      },
      {
        provider: 'fal',
        providerModel: 'google/nano-banana-2-lite',
        priority: 2,
        config: {
          ...FAL,
          with_images_model: 'google/nano-banana-2-lite/edit',
          cost: { per_output: 40_000 },
        },
        price: RESELLERS,
      },
      {
        provider: 'replicate',
        providerModel: 'google/nano-banana-2-lite',
        priority: 3,
        config: { ...REPLICATE, cost: { per_output: 40_000 } },
        price: GUESS,
      },
    ],
  },
  {
    name: 'nano-banana-pro',
    displayName: 'Nano Banana Pro',
    kind: 'image',
    family: 'gemini',
    description: 'Google’s best picture model, up to 4K.',
    tokenCost: 14,
    maxInputImages: 8,
    supportsPrompt: true,
    aspectRatios: GOOGLE,
    fields: { resolution: RESOLUTION },
    routes: [
      {
        provider: 'gemini',
        providerModel: 'gemini-3-pro-image',
        priority: 1,
        config: { cost: { per_output: 134_000 } },
        price: RESELLERS,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/nano-banana-pro',
        priority: 2,
        config: {
          ...FAL,
          with_images_model: 'fal-ai/nano-banana-pro/edit',
          cost: { per_output: 150_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'google/nano-banana-pro',
        priority: 3,
        config: { ...REPLICATE, cost: { per_output: 150_000 } },
        price: REPLICATE_PAGES,
      },
      {
        provider: 'openrouter',
        providerModel: 'google/gemini-3-pro-image',
        priority: 4,
        config: { ...OPENROUTER, cost: { per_output: 134_000 } },
        price: GUESS,
      },
    ],
  },
]

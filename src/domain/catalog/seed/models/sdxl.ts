import { NEGATIVE, SEED } from '../fields'
import { GUESS } from '../prices'
import { MEGAPIXEL, WIDE } from '../shapes'
import type { SeedModel } from '../types'

/** Its field for the format is called otherwise than everywhere else, and it knows no webp. */
const FAL = {
  fields: { aspect_ratio: 'image_size', output_format: 'format' },
  aspect_ratios: MEGAPIXEL,
  output_formats: { webp: 'png' },
}

/** One vendor: at Replicate SDXL goes by a version, and which one is current is not known. */
export const SDXL: readonly SeedModel[] = [
  {
    name: 'sdxl',
    displayName: 'Stable Diffusion XL',
    kind: 'image',
    family: 'sdxl',
    description: 'The open classic, with a negative prompt.',
    tokenCost: 1,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED, negative_prompt: NEGATIVE },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/fast-sdxl',
        priority: 1,
        // Billed by machine time: a picture takes two or three seconds.
        config: { ...FAL, cost: { per_output: 3_000 } },
        price: GUESS,
      },
    ],
  },
  {
    name: 'sdxl-lightning',
    displayName: 'SDXL Lightning',
    kind: 'image',
    family: 'sdxl',
    description: 'SDXL in four steps, for previews while somebody types.',
    tokenCost: 1,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/fast-lightning-sdxl',
        priority: 1,
        config: { ...FAL, constants: { num_inference_steps: '4' }, cost: { per_output: 1_000 } },
        price: GUESS,
      },
    ],
  },
]

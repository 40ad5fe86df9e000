import { SEED } from '../fields'
import { RESELLERS } from '../prices'
import { MEGAPIXEL, USUAL } from '../shapes'
import type { SeedModel } from '../types'

export const Z_IMAGE: readonly SeedModel[] = [
  {
    name: 'z-image-turbo',
    displayName: 'Z-Image Turbo',
    kind: 'image',
    family: 'z-image',
    description: 'Quick and cheap, and reads Chinese as well as English.',
    tokenCost: 1,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: USUAL,
    fields: { seed: SEED },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/z-image/turbo',
        priority: 1,
        config: {
          fields: { aspect_ratio: 'image_size' },
          aspect_ratios: MEGAPIXEL,
          cost: { per_output: 5_000 },
        },
        price: RESELLERS,
      },
    ],
  },
]

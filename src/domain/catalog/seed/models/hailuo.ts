import { lasting } from '../fields'
import { RESELLERS } from '../prices'
import type { SeedModel } from '../types'

export const HAILUO: readonly SeedModel[] = [
  {
    name: 'hailuo-2.3',
    displayName: 'Hailuo 2.3',
    kind: 'video',
    family: 'hailuo',
    description:
      'Six seconds in 768p without sound, in landscape or in the shape of a first picture.',
    tokenCost: 28,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: [],
    fields: { duration_seconds: lasting(6) },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/minimax/hailuo-2.3/standard/text-to-video',
        priority: 1,
        config: {
          with_images_model: 'fal-ai/minimax/hailuo-2.3/standard/image-to-video',
          cost: { per_output: 280_000 },
        },
        price: RESELLERS,
      },
      {
        provider: 'replicate',
        providerModel: 'minimax/hailuo-2.3',
        priority: 2,
        config: {
          fields: { images: 'first_frame_image' },
          constants: { resolution: '768p' },
          outputs_per_call: 1,
          cost: { per_output: 280_000 },
        },
        price: RESELLERS,
      },
    ],
  },
]

import { GUESS } from '../prices'
import type { SeedModel } from '../types'

export const BACKGROUND: readonly SeedModel[] = [
  {
    name: 'remove-background',
    displayName: 'Background remover',
    kind: 'image_edit',
    family: 'background',
    description: 'Cuts out what is in front; the rest becomes transparent.',
    tokenCost: 2,
    maxInputImages: 1,
    supportsPrompt: false,
    aspectRatios: [],
    fields: {},
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/birefnet',
        priority: 1,
        // JPEG has no transparency.
        config: {
          fields: { num_outputs: null },
          output_formats: { jpeg: 'png' },
          cost: { per_output: 2_000 },
        },
        price: GUESS,
      },
      {
        provider: 'replicate',
        providerModel: 'bria/remove-background',
        priority: 2,
        config: {
          fields: { output_format: null },
          outputs_per_call: 1,
          cost: { per_output: 18_000 },
        },
        price: GUESS,
      },
    ],
  },
]

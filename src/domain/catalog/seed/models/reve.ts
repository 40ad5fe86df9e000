import { FAL_PAGES, GUESS } from '../prices'
import { USUAL } from '../shapes'
import type { SeedModel } from '../types'

/** Its names at both vendors come from their pages and others' programs, not from a client of theirs. */
export const REVE: readonly SeedModel[] = [
  {
    name: 'reve',
    displayName: 'Reve',
    kind: 'image',
    family: 'reve',
    description: 'Follows a text to the letter, with lettering that can be read.',
    tokenCost: 4,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: USUAL,
    fields: {},
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/reve/text-to-image',
        priority: 1,
        config: { cost: { per_output: 40_000 } },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'reve/create',
        priority: 2,
        config: {
          fields: { output_format: null },
          outputs_per_call: 1,
          cost: { per_output: 40_000 },
        },
        price: GUESS,
      },
    ],
  },
  {
    name: 'reve-edit',
    displayName: 'Reve Edit',
    kind: 'image_edit',
    family: 'reve',
    description: 'Changes a picture as the text says and keeps its shape.',
    tokenCost: 4,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: [],
    fields: {},
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/reve/edit',
        priority: 1,
        config: { cost: { per_output: 40_000 } },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'reve/edit',
        priority: 2,
        config: {
          fields: { output_format: null },
          outputs_per_call: 1,
          cost: { per_output: 40_000 },
        },
        price: GUESS,
      },
    ],
  },
  {
    name: 'reve-remix',
    displayName: 'Reve Remix',
    kind: 'image_edit',
    family: 'reve',
    description: 'Makes a new picture out of up to six others and a text.',
    tokenCost: 5,
    maxInputImages: 6,
    supportsPrompt: true,
    aspectRatios: USUAL,
    fields: {},
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/reve/remix',
        priority: 1,
        config: { fields: { images: 'image_urls[]' }, cost: { per_output: 40_000 } },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'reve/remix',
        priority: 2,
        config: {
          fields: { images: 'reference_images[]', output_format: null },
          outputs_per_call: 1,
          cost: { per_output: 40_000 },
        },
        price: GUESS,
      },
    ],
  },
]

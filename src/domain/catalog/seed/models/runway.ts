import { lasting, SEED } from '../fields'
import { GUESS, REPLICATE_PAGES, RUNWAY_CREDITS } from '../prices'
import { RUNWAY_720P, SCREEN } from '../shapes'
import type { SeedModel } from '../types'

const RATIOS = ['16:9', '9:16', '1:1', '4:3', '3:4', '21:9']
const DIRECT = { aspect_ratios: RUNWAY_720P }
const REPLICATE = {
  fields: { images: 'reference_images[]', output_format: null },
  constants: { resolution: '720p' },
  outputs_per_call: 1,
}

/** Not sold: `gen4_turbo` and `gen4_aleph`, which start from a picture and from a video at any rate. */
export const RUNWAY: readonly SeedModel[] = [
  {
    name: 'runway-gen4-image',
    displayName: 'Runway Gen-4 Image',
    kind: 'image',
    family: 'runway',
    description: 'People and places that stay the same over pictures, by up to three references.',
    tokenCost: 5,
    maxInputImages: 3,
    supportsPrompt: true,
    aspectRatios: RATIOS,
    fields: { seed: SEED },
    routes: [
      {
        provider: 'runway',
        providerModel: 'gen4_image',
        priority: 1,
        config: { ...DIRECT, cost: { per_output: 50_000 } },
        price: RUNWAY_CREDITS,
      },
      {
        provider: 'replicate',
        providerModel: 'runwayml/gen4-image',
        priority: 2,
        config: { ...REPLICATE, cost: { per_output: 50_000 } },
        price: REPLICATE_PAGES,
      },
    ],
  },
  {
    name: 'runway-gen4-image-turbo',
    displayName: 'Runway Gen-4 Image Turbo',
    kind: 'image_edit',
    family: 'runway',
    description: 'Gen-4 Image for drafts; works from one to three references.',
    tokenCost: 3,
    maxInputImages: 3,
    supportsPrompt: true,
    aspectRatios: RATIOS,
    fields: { seed: SEED },
    routes: [
      {
        provider: 'runway',
        providerModel: 'gen4_image_turbo',
        priority: 1,
        config: { ...DIRECT, cost: { per_output: 20_000 } },
        price: RUNWAY_CREDITS,
      },
      {
        provider: 'replicate',
        providerModel: 'runwayml/gen4-image-turbo',
        priority: 2,
        config: { ...REPLICATE, cost: { per_output: 30_000 } },
        price: REPLICATE_PAGES,
      },
    ],
  },
  {
    name: 'runway-gen4.5',
    displayName: 'Runway Gen-4.5',
    kind: 'video',
    family: 'runway',
    description: 'Five seconds of video without sound, from text or a first picture.',
    tokenCost: 60,
    maxInputImages: 1,
    supportsPrompt: true,
    // From text it makes no others.
    aspectRatios: SCREEN,
    fields: { duration_seconds: lasting(5), seed: SEED },
    routes: [
      {
        provider: 'runway',
        providerModel: 'gen4.5',
        priority: 1,
        config: { cost: { per_second: 120_000 } },
        price: RUNWAY_CREDITS,
      },
      {
        provider: 'replicate',
        providerModel: 'runwayml/gen-4.5',
        priority: 2,
        config: { outputs_per_call: 1, cost: { per_second: 120_000 } },
        price: GUESS,
      },
    ],
  },
]

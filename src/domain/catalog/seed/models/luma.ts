import { lasting } from '../fields'
import { GUESS, LUMA_PIXELS, REPLICATE_PAGES, RESELLERS } from '../prices'
import { LUMA as RATIOS } from '../shapes'
import type { SeedModel } from '../types'

const DIRECT_PICTURE = { output_formats: { webp: 'png' } }
const FAL_PICTURE = { fields: { num_outputs: null, output_format: null }, outputs_per_call: 1 }
const REPLICATE_PICTURE = { fields: { output_format: null }, outputs_per_call: 1 }
/** The other ratios are not taken for a video from text. */
const FILM = ['16:9', '9:16', '4:3', '3:4', '21:9']
const FAL_FILM = { fields: { duration_seconds: 'duration:seconds' } }
const REPLICATE_FILM = { fields: { images: 'start_image' }, outputs_per_call: 1 }

/** Luma's own API below is its older one, which it still runs; it takes the ids of its last client. */
export const LUMA: readonly SeedModel[] = [
  {
    name: 'luma-photon',
    displayName: 'Luma Photon',
    kind: 'image',
    family: 'luma',
    description: 'Pictures with an eye for light and composition.',
    tokenCost: 3,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: RATIOS,
    fields: {},
    routes: [
      {
        provider: 'luma',
        providerModel: 'photon-1',
        priority: 1,
        config: { ...DIRECT_PICTURE, cost: { per_output: 15_000 } },
        price: LUMA_PIXELS,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/luma-photon',
        priority: 2,
        config: { ...FAL_PICTURE, cost: { per_output: 20_000 } },
        price: GUESS,
      },
      {
        provider: 'replicate',
        providerModel: 'luma/photon',
        priority: 3,
        config: { ...REPLICATE_PICTURE, cost: { per_output: 30_000 } },
        price: REPLICATE_PAGES,
      },
    ],
  },
  {
    name: 'luma-photon-flash',
    displayName: 'Luma Photon Flash',
    kind: 'image',
    family: 'luma',
    description: 'Photon for drafts: quicker and cheaper.',
    tokenCost: 1,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: RATIOS,
    fields: {},
    routes: [
      {
        provider: 'luma',
        providerModel: 'photon-flash-1',
        priority: 1,
        config: { ...DIRECT_PICTURE, cost: { per_output: 4_000 } },
        price: LUMA_PIXELS,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/luma-photon/flash',
        priority: 2,
        config: { ...FAL_PICTURE, cost: { per_output: 5_000 } },
        price: GUESS,
      },
      {
        provider: 'replicate',
        providerModel: 'luma/photon-flash',
        priority: 3,
        config: { ...REPLICATE_PICTURE, cost: { per_output: 10_000 } },
        price: REPLICATE_PAGES,
      },
    ],
  },
  {
    name: 'luma-ray-2',
    displayName: 'Luma Ray 2',
    kind: 'video',
    family: 'luma',
    description: 'Five seconds of video in 720p, from text or a first picture.',
    tokenCost: 100,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: FILM,
    fields: { duration_seconds: lasting(5) },
    routes: [
      {
        provider: 'luma',
        providerModel: 'ray-2',
        priority: 1,
        config: { constants: { resolution: '720p' }, cost: { per_second: 142_000 } },
        price: LUMA_PIXELS,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/luma-dream-machine/ray-2',
        priority: 2,
        config: {
          ...FAL_FILM,
          with_images_model: 'fal-ai/luma-dream-machine/ray-2/image-to-video',
          constants: { resolution: '720p' },
          cost: { per_second: 200_000 },
        },
        price: GUESS,
      },
      {
        provider: 'replicate',
        providerModel: 'luma/ray-2-720p',
        priority: 3,
        config: { ...REPLICATE_FILM, cost: { per_second: 180_000 } },
        price: RESELLERS,
      },
    ],
  },
  {
    name: 'luma-ray-2-flash',
    displayName: 'Luma Ray 2 Flash',
    kind: 'video',
    family: 'luma',
    description: 'Ray 2 for drafts: five seconds in 720p, quicker and cheaper.',
    tokenCost: 35,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: FILM,
    fields: { duration_seconds: lasting(5) },
    routes: [
      {
        provider: 'luma',
        providerModel: 'ray-flash-2',
        priority: 1,
        config: { constants: { resolution: '720p' }, cost: { per_second: 49_000 } },
        price: LUMA_PIXELS,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/luma-dream-machine/ray-2-flash',
        priority: 2,
        config: {
          ...FAL_FILM,
          with_images_model: 'fal-ai/luma-dream-machine/ray-2-flash/image-to-video',
          constants: { resolution: '720p' },
          cost: { per_second: 80_000 },
        },
        price: GUESS,
      },
      {
        provider: 'replicate',
        providerModel: 'luma/ray-flash-2-720p',
        priority: 3,
        config: { ...REPLICATE_FILM, cost: { per_second: 60_000 } },
        price: RESELLERS,
      },
    ],
  },
]

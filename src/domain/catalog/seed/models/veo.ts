import { lasting, NEGATIVE, SEED } from '../fields'
import { FAL_PAGES, RESELLERS, RUNWAY_CREDITS } from '../prices'
import { SCREEN } from '../shapes'
import type { SeedModel } from '../types'

const FAL = { fields: { duration_seconds: 'duration:seconds' } }
const REPLICATE = { outputs_per_call: 1 }

/** Google’s own API ended `veo-3.1-*-preview` on 2026-10-22; the vendors below have it by Google’s cloud. */
export const VEO: readonly SeedModel[] = [
  {
    name: 'veo-3.1',
    displayName: 'Veo 3.1',
    kind: 'video',
    family: 'veo',
    description: 'Eight seconds in 720p with sound and speech, from text or a first picture.',
    tokenCost: 320,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: SCREEN,
    fields: { duration_seconds: lasting(8), negative_prompt: NEGATIVE, seed: SEED },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/veo3.1',
        priority: 1,
        config: {
          ...FAL,
          with_images_model: 'fal-ai/veo3.1/image-to-video',
          cost: { per_second: 400_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'runway',
        providerModel: 'veo3.1',
        priority: 2,
        config: { constants: { audio: true }, cost: { per_second: 400_000 } },
        price: RUNWAY_CREDITS,
      },
      {
        provider: 'replicate',
        providerModel: 'google/veo-3.1',
        priority: 3,
        config: { ...REPLICATE, cost: { per_second: 400_000 } },
        price: RESELLERS,
      },
    ],
  },
  {
    name: 'veo-3.1-fast',
    displayName: 'Veo 3.1 Fast',
    kind: 'video',
    family: 'veo',
    description: 'Veo for less: eight seconds in 720p with sound, from text or a first picture.',
    tokenCost: 120,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: SCREEN,
    fields: { duration_seconds: lasting(8), negative_prompt: NEGATIVE, seed: SEED },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/veo3.1/fast',
        priority: 1,
        config: {
          ...FAL,
          with_images_model: 'fal-ai/veo3.1/fast/image-to-video',
          cost: { per_second: 150_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'runway',
        providerModel: 'veo3.1_fast',
        priority: 2,
        config: { constants: { audio: true }, cost: { per_second: 150_000 } },
        price: RUNWAY_CREDITS,
      },
      {
        provider: 'replicate',
        providerModel: 'google/veo-3.1-fast',
        priority: 3,
        config: { ...REPLICATE, cost: { per_second: 150_000 } },
        price: RESELLERS,
      },
      {
        provider: 'defapi',
        providerModel: 'google/veo3.1-fast',
        priority: 4,
        config: { cost: { per_output: 500_000 } },
        price: RESELLERS,
      },
    ],
  },
]

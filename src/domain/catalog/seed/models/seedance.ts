import { lasting, SEED } from '../fields'
import { FAL_PAGES, GUESS, RESELLERS } from '../prices'
import type { SeedModel } from '../types'

const RATIOS = ['16:9', '9:16', '1:1', '4:3', '3:4', '21:9']
const IN_720P = { resolution: '720p' }
const WITH_SOUND = { ...IN_720P, generate_audio: true }
const RUNWAY_720P = {
  '16:9': '1280:720',
  '9:16': '720:1280',
  '1:1': '960:960',
  '4:3': '1112:834',
  '3:4': '834:1112',
  '21:9': '1470:630',
}

export const SEEDANCE: readonly SeedModel[] = [
  {
    name: 'seedance-1-pro',
    displayName: 'Seedance 1 Pro',
    kind: 'video',
    family: 'seedance',
    description: 'Five seconds in 720p without sound, from text or a first picture.',
    tokenCost: 30,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: RATIOS,
    fields: { duration_seconds: lasting(5), seed: SEED },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/bytedance/seedance/v1/pro/text-to-video',
        priority: 1,
        config: {
          with_images_model: 'fal-ai/bytedance/seedance/v1/pro/image-to-video',
          constants: IN_720P,
          cost: { per_second: 54_000 },
        },
        price: GUESS,
      },
      {
        provider: 'replicate',
        providerModel: 'bytedance/seedance-1-pro',
        priority: 2,
        config: { constants: IN_720P, outputs_per_call: 1, cost: { per_second: 60_000 } },
        price: RESELLERS,
      },
    ],
  },
  {
    name: 'seedance-1.5-pro',
    displayName: 'Seedance 1.5 Pro',
    kind: 'video',
    family: 'seedance',
    description: 'Five seconds in 720p with sound, from text or a first picture.',
    tokenCost: 30,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: RATIOS,
    fields: { duration_seconds: lasting(5), seed: SEED },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/bytedance/seedance/v1.5/pro/text-to-video',
        priority: 1,
        config: {
          with_images_model: 'fal-ai/bytedance/seedance/v1.5/pro/image-to-video',
          constants: WITH_SOUND,
          cost: { per_second: 52_000 },
        },
        price: RESELLERS,
      },
      {
        provider: 'replicate',
        // Seen in others' programs only.
        providerModel: 'bytedance/seedance-1.5-pro',
        priority: 2,
        config: { constants: WITH_SOUND, outputs_per_call: 1, cost: { per_second: 52_000 } },
        price: GUESS,
      },
    ],
  },
  {
    name: 'seedance-2',
    displayName: 'Seedance 2',
    kind: 'video',
    family: 'seedance',
    description: 'Five seconds in 720p with sound and lips that fit, from text or a first picture.',
    tokenCost: 155,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: RATIOS,
    fields: { duration_seconds: lasting(5) },
    routes: [
      {
        provider: 'runway',
        providerModel: 'seedance2',
        priority: 1,
        // Runway tells what a video cost.
        config: {
          aspect_ratios: RUNWAY_720P,
          constants: { audio: true },
          cost: { per_second: 300_000 },
        },
        price: GUESS,
      },
      {
        provider: 'fal',
        providerModel: 'bytedance/seedance-2.0/text-to-video',
        priority: 2,
        config: {
          with_images_model: 'bytedance/seedance-2.0/image-to-video',
          constants: WITH_SOUND,
          cost: { per_second: 303_400 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        providerModel: 'bytedance/seedance-2.0',
        priority: 3,
        config: { constants: WITH_SOUND, outputs_per_call: 1, cost: { per_second: 290_000 } },
        price: RESELLERS,
      },
    ],
  },
]

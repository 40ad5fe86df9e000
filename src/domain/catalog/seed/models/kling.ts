import { lasting, NEGATIVE } from '../fields'
import { FAL_PAGES, GUESS, RESELLERS } from '../prices'
import { FILM } from '../shapes'
import type { SeedModel } from '../types'

/** fal starts a video from a picture at an endpoint of its own, whose shape is the picture's. */
const FRAMED = { aspect_ratio: null }
const FAL = { fields: { images: 'start_image_url' }, with_images_fields: FRAMED }
const WITH_SOUND = { generate_audio: true }

export const KLING: readonly SeedModel[] = [
  {
    name: 'kling-2.5',
    displayName: 'Kling 2.5 Turbo Pro',
    kind: 'video',
    family: 'kling',
    description: 'Five seconds of video without sound, from text or a first picture.',
    tokenCost: 35,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: FILM,
    fields: { duration_seconds: lasting(5), negative_prompt: NEGATIVE },
    routes: [
      {
        provider: 'replicate',
        providerModel: 'kwaivgi/kling-v2.5-turbo-pro',
        priority: 1,
        config: {
          fields: { images: 'start_image' },
          outputs_per_call: 1,
          cost: { per_second: 70_000 },
        },
        price: GUESS,
      },
      {
        provider: 'fal',
        providerModel: 'fal-ai/kling-video/v2.5-turbo/pro/text-to-video',
        priority: 2,
        config: {
          with_images_model: 'fal-ai/kling-video/v2.5-turbo/pro/image-to-video',
          with_images_fields: FRAMED,
          cost: { per_second: 70_000 },
        },
        price: GUESS,
      },
    ],
  },
  {
    name: 'kling-2.6',
    displayName: 'Kling 2.6 Pro',
    kind: 'video',
    family: 'kling',
    description: 'Five seconds of video with sound, from text or a first picture.',
    tokenCost: 70,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: FILM,
    fields: { duration_seconds: lasting(5), negative_prompt: NEGATIVE },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/kling-video/v2.6/pro/text-to-video',
        priority: 1,
        config: {
          ...FAL,
          with_images_model: 'fal-ai/kling-video/v2.6/pro/image-to-video',
          constants: WITH_SOUND,
          cost: { per_second: 140_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'replicate',
        // Its inputs are those of 2.5 and the sound [unverified].
        providerModel: 'kwaivgi/kling-v2.6',
        priority: 2,
        config: {
          fields: { images: 'start_image' },
          constants: WITH_SOUND,
          outputs_per_call: 1,
          cost: { per_second: 140_000 },
        },
        price: RESELLERS,
      },
    ],
  },
  {
    name: 'kling-3',
    displayName: 'Kling 3',
    kind: 'video',
    family: 'kling',
    description: 'Five seconds in 720p with sound, from text or a first picture.',
    tokenCost: 65,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: FILM,
    fields: { duration_seconds: lasting(5), negative_prompt: NEGATIVE },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/kling-video/v3/standard/text-to-video',
        priority: 1,
        config: {
          ...FAL,
          with_images_model: 'fal-ai/kling-video/v3/standard/image-to-video',
          constants: WITH_SOUND,
          cost: { per_second: 126_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'openrouter',
        // Seen in others' programs only; it knows no negative prompt, and tells what a video cost.
        providerModel: 'kwaivgi/kling-v3.0-std',
        priority: 2,
        config: {
          fields: { negative_prompt: null },
          constants: WITH_SOUND,
          cost: { per_second: 126_000 },
        },
        price: RESELLERS,
      },
    ],
  },
  {
    name: 'kling-3-pro',
    displayName: 'Kling 3 Pro',
    kind: 'video',
    family: 'kling',
    description: 'Five seconds in 1080p with sound, from text or a first picture.',
    tokenCost: 85,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: FILM,
    fields: { duration_seconds: lasting(5), negative_prompt: NEGATIVE },
    routes: [
      {
        provider: 'fal',
        providerModel: 'fal-ai/kling-video/v3/pro/text-to-video',
        priority: 1,
        config: {
          ...FAL,
          with_images_model: 'fal-ai/kling-video/v3/pro/image-to-video',
          constants: WITH_SOUND,
          cost: { per_second: 168_000 },
        },
        price: FAL_PAGES,
      },
      {
        provider: 'openrouter',
        providerModel: 'kwaivgi/kling-v3.0-pro',
        priority: 2,
        config: {
          fields: { negative_prompt: null },
          constants: WITH_SOUND,
          cost: { per_second: 168_000 },
        },
        price: RESELLERS,
      },
    ],
  },
]

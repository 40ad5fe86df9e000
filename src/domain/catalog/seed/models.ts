/** What a fresh install sells. Data: an operator may change every row, and a later seed leaves those alone. */
export type SeedModel = {
  name: string
  displayName: string
  kind: 'image' | 'image_edit' | 'upscale' | 'text'
  family: string
  description: string
  tokenCost: number
  maxInputImages: number
  supportsPrompt: boolean
  aspectRatios: readonly string[]
  /** JSON Schema properties of fields beyond the common ones. */
  fields: Readonly<Record<string, object>>
}

const SEED = { type: 'integer', minimum: 0, maximum: 2_147_483_647 }
const NEGATIVE = { type: 'string', maxLength: 4_000 }
const WIDE = ['1:1', '16:9', '9:16', '4:3', '3:4', '3:2', '2:3', '21:9']
const OPENAI_RATIOS = ['1:1', '3:2', '2:3']
const QUALITY = { type: 'string', enum: ['low', 'medium', 'high'] }
const RESOLUTION = { type: 'string', enum: ['1K', '2K', '4K'] }

export const MODELS: readonly SeedModel[] = [
  {
    name: 'flux-schnell',
    displayName: 'FLUX.1 schnell',
    kind: 'image',
    family: 'flux',
    description: 'Fast pictures from text, for drafts and previews.',
    tokenCost: 1,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED },
  },
  {
    name: 'flux-dev',
    displayName: 'FLUX.1 dev',
    kind: 'image',
    family: 'flux',
    description: 'Detailed pictures from text.',
    tokenCost: 3,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED, guidance: { type: 'number', minimum: 1, maximum: 10 } },
  },
  {
    name: 'flux-kontext-pro',
    displayName: 'FLUX.1 Kontext pro',
    kind: 'image_edit',
    family: 'flux',
    description: 'Changes a picture as the text says.',
    tokenCost: 5,
    maxInputImages: 1,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED },
  },
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
  },
  {
    name: 'gpt-image-1.5',
    displayName: 'GPT Image 1.5',
    kind: 'image',
    family: 'gpt-image',
    description: 'Follows long instructions and renders text; takes pictures as a start.',
    tokenCost: 5,
    maxInputImages: 4,
    supportsPrompt: true,
    aspectRatios: [...OPENAI_RATIOS, '16:9', '9:16'],
    fields: { quality: QUALITY },
  },
  {
    name: 'gpt-image-2',
    displayName: 'GPT Image 2',
    kind: 'image',
    family: 'gpt-image',
    description: 'OpenAI’s picture model with free sizes.',
    tokenCost: 8,
    maxInputImages: 4,
    supportsPrompt: true,
    aspectRatios: [...OPENAI_RATIOS, '16:9', '9:16'],
    fields: { quality: QUALITY },
  },
  {
    name: 'nano-banana',
    displayName: 'Nano Banana',
    kind: 'image',
    family: 'gemini',
    description: 'Google’s fast picture model; edits and combines pictures.',
    tokenCost: 4,
    maxInputImages: 3,
    supportsPrompt: true,
    aspectRatios: ['1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9'],
    fields: {},
  },
  {
    name: 'nano-banana-pro',
    displayName: 'Nano Banana Pro',
    kind: 'image',
    family: 'gemini',
    description: 'Google’s best picture model, up to 4K.',
    tokenCost: 14,
    maxInputImages: 8,
    supportsPrompt: true,
    aspectRatios: ['1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9'],
    fields: { resolution: RESOLUTION },
  },
  {
    name: 'ideogram-v3',
    displayName: 'Ideogram 3',
    kind: 'image',
    family: 'ideogram',
    description: 'Posters and logos: text in pictures.',
    tokenCost: 6,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED, negative_prompt: NEGATIVE },
  },
  {
    name: 'seedream-4',
    displayName: 'Seedream 4',
    kind: 'image',
    family: 'seedream',
    description: 'Sharp pictures up to 4K, with reference pictures.',
    tokenCost: 4,
    maxInputImages: 6,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { resolution: RESOLUTION },
  },
  {
    name: 'qwen-image',
    displayName: 'Qwen Image',
    kind: 'image',
    family: 'qwen-image',
    description: 'Open weights, strong at Chinese and English text.',
    tokenCost: 3,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: { seed: SEED, negative_prompt: NEGATIVE },
  },
  {
    name: 'recraft-v3',
    displayName: 'Recraft 3',
    kind: 'image',
    family: 'recraft',
    description: 'Design-minded pictures in a chosen style.',
    tokenCost: 4,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: WIDE,
    fields: {
      style: {
        type: 'string',
        enum: ['realistic_image', 'digital_illustration', 'vector_illustration'],
      },
    },
  },
  {
    name: 'clarity-upscaler',
    displayName: 'Clarity upscaler',
    kind: 'upscale',
    family: 'upscaler',
    description: 'Makes a picture larger and sharper.',
    tokenCost: 4,
    maxInputImages: 1,
    supportsPrompt: false,
    aspectRatios: [],
    fields: { scale_factor: { type: 'integer', minimum: 2, maximum: 4, default: 2 } },
  },
  {
    name: 'gpt-5-mini',
    displayName: 'GPT-5 mini',
    kind: 'text',
    family: 'gpt',
    description: 'Short texts: captions, titles, prompts.',
    tokenCost: 1,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: [],
    fields: { max_output_tokens: { type: 'integer', minimum: 1, maximum: 8_192 } },
  },
]

export const PROVIDERS: readonly { name: string; displayName: string }[] = [
  { name: 'sandbox', displayName: 'Sandbox' },
]

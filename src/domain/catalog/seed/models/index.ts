import type { SeedModel } from '../types'
import { BACKGROUND } from './background'
import { FLUX } from './flux'
import { GEMINI } from './gemini'
import { GPT_IMAGE } from './gpt-image'
import { HAILUO } from './hailuo'
import { IDEOGRAM } from './ideogram'
import { KLING } from './kling'
import { LUMA } from './luma'
import { QWEN } from './qwen'
import { RECRAFT } from './recraft'
import { REVE } from './reve'
import { RUNWAY } from './runway'
import { SDXL } from './sdxl'
import { SEEDANCE } from './seedance'
import { SEEDREAM } from './seedream'
import { TEXT } from './text'
import { UPSCALERS } from './upscalers'
import { VEO } from './veo'
import { Z_IMAGE } from './z-image'

export type { SeedModel } from '../types'

/**
 * Everything that a fresh install sells, a family a file. Names of vendors' models were checked against their
 * own clients and pages in November 2026; where they come from elsewhere a comment says "unverified" or
 * "others' programs". Vendors retire models often: look at the catalogue's test before a release.
 */
export const MODELS: readonly SeedModel[] = [
  ...FLUX,
  ...SDXL,
  ...Z_IMAGE,
  ...IDEOGRAM,
  ...QWEN,
  ...SEEDREAM,
  ...REVE,
  ...RECRAFT,
  ...LUMA,
  ...GEMINI,
  ...GPT_IMAGE,
  ...RUNWAY,
  ...KLING,
  ...VEO,
  ...SEEDANCE,
  ...HAILUO,
  ...UPSCALERS,
  ...BACKGROUND,
  ...TEXT,
]

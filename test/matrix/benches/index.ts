import type { Bench } from '../bench'
import { bfl } from './bfl'
import { defapi } from './defapi'
import { fal } from './fal'
import { gemini, geminiVideo } from './gemini'
import { luma } from './luma'
import { openai } from './openai'
import { openrouter, openrouterVideo } from './openrouter'
import { replicate } from './replicate'
import { runway } from './runway'

/** Every adapter once. */
export const BENCHES: readonly Bench[] = [
  replicate,
  fal,
  openai,
  gemini,
  openrouter,
  defapi,
  runway,
  luma,
  bfl,
]

/** The second form of those that answer pictures at once and videos later. */
export const SLOW_BENCHES: readonly Bench[] = [geminiVideo, openrouterVideo]

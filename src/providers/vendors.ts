import { createDefapi } from './defapi/defapi'
import { createFal } from './fal/fal'
import { createGemini } from './gemini/gemini'
import { createLuma } from './luma/luma'
import { createOpenai } from './openai/openai'
import { createOpenrouter } from './openrouter/openrouter'
import { createReplicate } from './replicate/replicate'
import { createRunway } from './runway/runway'
import type { Provider } from './spec'

/** Every vendor that this program speaks to: one folder and one row here for each. */
export function vendors(): Provider[] {
  return [
    createReplicate(),
    createFal(),
    createOpenai(),
    createGemini(),
    createOpenrouter(),
    createDefapi(),
    createRunway(),
    createLuma(),
  ]
}

import { createBfl } from './bfl/bfl'
import { createDefapi } from './defapi/defapi'
import { createFal } from './fal/fal'
import { createGemini } from './gemini/gemini'
import { createLuma } from './luma/luma'
import { createOpenai } from './openai/openai'
import { createOpenrouter } from './openrouter/openrouter'
import { createReplicate } from './replicate/replicate'
import { createRunway } from './runway/runway'
import type { Provider } from './spec'

/** What the rest of the house has to know of a vendor. */
export type VendorRow = {
  /** Stands in rows, addresses and `provider_params`: it never changes. */
  name: string
  displayName: string
  /** The variable of the environment that its key is looked for in. */
  apiKeyEnvVar: string
  /**
   * How many of a route may run at once, where the route does not say. For those that answer only when they
   * are done: each of their jobs holds one of our slots, and a slow vendor must not hold them all.
   */
  usualAtOnce?: number
  create(): Provider
}

/** Every vendor that this program speaks to: one folder, and one row here. */
export const VENDORS = [
  {
    name: 'replicate',
    displayName: 'Replicate',
    apiKeyEnvVar: 'REPLICATE_API_TOKEN',
    create: createReplicate,
  },
  { name: 'fal', displayName: 'fal', apiKeyEnvVar: 'FAL_KEY', create: createFal },
  {
    name: 'openai',
    displayName: 'OpenAI',
    apiKeyEnvVar: 'OPENAI_API_KEY',
    usualAtOnce: 16,
    create: createOpenai,
  },
  {
    name: 'gemini',
    displayName: 'Google Gemini',
    apiKeyEnvVar: 'GOOGLE_AI_API_KEY',
    usualAtOnce: 16,
    create: createGemini,
  },
  {
    name: 'openrouter',
    displayName: 'OpenRouter',
    apiKeyEnvVar: 'OPENROUTER_API_KEY',
    usualAtOnce: 16,
    create: createOpenrouter,
  },
  { name: 'defapi', displayName: 'DefAPI', apiKeyEnvVar: 'DEFAPI_API_KEY', create: createDefapi },
  {
    name: 'runway',
    displayName: 'Runway',
    apiKeyEnvVar: 'RUNWAYML_API_SECRET',
    create: createRunway,
  },
  { name: 'luma', displayName: 'Luma', apiKeyEnvVar: 'LUMAAI_API_KEY', create: createLuma },
  {
    name: 'bfl',
    displayName: 'Black Forest Labs',
    apiKeyEnvVar: 'BFL_API_KEY',
    create: createBfl,
  },
] as const satisfies readonly VendorRow[]

export type VendorName = (typeof VENDORS)[number]['name']

/** What each variable of a key takes, in words. */
export const KEY_VARIABLES: { readonly [variable: string]: string } = Object.fromEntries(
  VENDORS.map(({ apiKeyEnvVar, displayName }) => [
    apiKeyEnvVar,
    `an API key of ${displayName}, without spaces`,
  ]),
)

import type { SeedProvider, Vendor } from './types'

export const PROVIDERS: readonly SeedProvider[] = [
  { name: 'sandbox', displayName: 'Sandbox', apiKeyEnvVar: null },
  { name: 'replicate', displayName: 'Replicate', apiKeyEnvVar: 'REPLICATE_API_TOKEN' },
  { name: 'fal', displayName: 'fal', apiKeyEnvVar: 'FAL_KEY' },
  { name: 'openai', displayName: 'OpenAI', apiKeyEnvVar: 'OPENAI_API_KEY' },
  { name: 'gemini', displayName: 'Google Gemini', apiKeyEnvVar: 'GOOGLE_AI_API_KEY' },
  { name: 'openrouter', displayName: 'OpenRouter', apiKeyEnvVar: 'OPENROUTER_API_KEY' },
  { name: 'defapi', displayName: 'DefAPI', apiKeyEnvVar: 'DEFAPI_API_KEY' },
  { name: 'runway', displayName: 'Runway', apiKeyEnvVar: 'RUNWAYML_API_SECRET' },
  { name: 'luma', displayName: 'Luma', apiKeyEnvVar: 'LUMAAI_API_KEY' },
]

/**
 * How many of a route may run at once, where the route does not say. These answer only when they are done,
 * so each job of theirs holds one of our slots for as long as it takes: a slow one must not hold them all.
 */
export const USUAL_AT_ONCE: { readonly [vendor in Vendor]?: number } = {
  openai: 16,
  gemini: 16,
  openrouter: 16,
}

import type { SeedProvider } from './types'

export const PROVIDERS: readonly SeedProvider[] = [
  { name: 'sandbox', displayName: 'Sandbox' },
  { name: 'replicate', displayName: 'Replicate' },
  { name: 'fal', displayName: 'fal' },
  { name: 'openai', displayName: 'OpenAI' },
  { name: 'gemini', displayName: 'Google Gemini' },
  { name: 'openrouter', displayName: 'OpenRouter' },
  { name: 'defapi', displayName: 'DefAPI' },
  { name: 'runway', displayName: 'Runway' },
  { name: 'luma', displayName: 'Luma' },
]

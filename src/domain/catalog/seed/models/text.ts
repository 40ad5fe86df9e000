import { MAX_OUTPUT_TOKENS } from '../fields'
import { GUESS } from '../prices'
import type { SeedModel } from '../types'

/**
 * Sold by the call while vendors charge by the token: rates are for a usual call, a thousand tokens in and a
 * thousand out. OpenAI's models think at length when nobody says otherwise, which is paid as output.
 */
const BRIEFLY = { reasoning_effort: 'low' }

export const TEXT: readonly SeedModel[] = [
  {
    name: 'gpt-5-mini',
    displayName: 'GPT-5 mini',
    kind: 'text',
    family: 'gpt',
    description:
      'Short texts: captions, titles, prompts. OpenAI ends GPT-5 mini on 2026-12-11, and GPT-6 Luna answers under this name.',
    tokenCost: 1,
    maxInputImages: 0,
    supportsPrompt: true,
    aspectRatios: [],
    fields: { max_output_tokens: MAX_OUTPUT_TOKENS },
    routes: [
      {
        provider: 'openai',
        providerModel: 'gpt-6-luna',
        priority: 1,
        config: { constants: BRIEFLY, cost: { per_call: 600 } },
        price: GUESS,
      },
      {
        provider: 'openrouter',
        providerModel: 'openai/gpt-6-luna',
        priority: 2,
        config: { constants: BRIEFLY, cost: { per_call: 600 } },
        price: GUESS,
      },
    ],
  },
  {
    name: 'gpt-6-luna',
    displayName: 'GPT-6 Luna',
    kind: 'text',
    family: 'gpt',
    description: 'Short texts, also about up to four pictures: captions, labels, summaries.',
    tokenCost: 1,
    maxInputImages: 4,
    supportsPrompt: true,
    aspectRatios: [],
    fields: { max_output_tokens: MAX_OUTPUT_TOKENS },
    routes: [
      {
        provider: 'openai',
        providerModel: 'gpt-6-luna',
        priority: 1,
        config: { constants: BRIEFLY, cost: { per_call: 600 } },
        price: GUESS,
      },
      {
        provider: 'openrouter',
        providerModel: 'openai/gpt-6-luna',
        priority: 2,
        config: { constants: BRIEFLY, cost: { per_call: 600 } },
        price: GUESS,
      },
    ],
  },
  {
    name: 'gemini-3.5-flash-lite',
    displayName: 'Gemini 3.5 Flash-Lite',
    kind: 'text',
    family: 'gemini-text',
    description: 'Quick short texts, also about up to four pictures.',
    tokenCost: 1,
    maxInputImages: 4,
    supportsPrompt: true,
    aspectRatios: [],
    fields: { max_output_tokens: MAX_OUTPUT_TOKENS },
    routes: [
      {
        provider: 'gemini',
        providerModel: 'gemini-3.5-flash-lite',
        priority: 1,
        config: { cost: { per_output: 3_000 } },
        price: GUESS,
      },
      {
        provider: 'openrouter',
        providerModel: 'google/gemini-3.5-flash-lite',
        priority: 2,
        config: { cost: { per_output: 3_000 } },
        price: GUESS,
      },
    ],
  },
  {
    name: 'gemini-3.8-flash',
    displayName: 'Gemini 3.8 Flash',
    kind: 'text',
    family: 'gemini-text',
    description: 'Longer and more careful texts, also about up to four pictures.',
    tokenCost: 2,
    maxInputImages: 4,
    supportsPrompt: true,
    aspectRatios: [],
    fields: { max_output_tokens: MAX_OUTPUT_TOKENS },
    routes: [
      {
        provider: 'gemini',
        providerModel: 'gemini-3.8-flash',
        priority: 1,
        // Half price until the end of 2026.
        config: { cost: { per_output: 4_500 } },
        price: GUESS,
      },
      {
        provider: 'openrouter',
        providerModel: 'google/gemini-3.8-flash',
        priority: 2,
        config: { cost: { per_output: 4_500 } },
        price: GUESS,
      },
    ],
  },
]

import { z } from 'zod'
import { ProviderError } from '../errors'
import type { Json, ProviderInput } from '../spec'

/**
 * What a caller may pass through, by Google's own names. Not here, and so refused: what costs more (sizes,
 * seconds, tokens, numbers of outputs), what the operator answers for (safety settings, tools), what we set
 * ourselves, and addresses to call back.
 */
const OF_CONTENT = {
  temperature: z.number().min(0).max(2).optional(),
  topP: z.number().min(0).max(1).optional(),
  topK: z.int().min(1).optional(),
  presencePenalty: z.number().optional(),
  frequencyPenalty: z.number().optional(),
  stopSequences: z.array(z.string().min(1)).max(5).optional(),
  seed: z.int().optional(),
}
const OF_VIDEO = { personGeneration: z.enum(['allow_adult', 'dont_allow']).optional() }

export const GeminiParams = z.strictObject({ ...OF_CONTENT, ...OF_VIDEO })

/** Throws `rejected` for what this kind of call does not take. */
export function readParams(input: ProviderInput): { [key: string]: Json } {
  const schema = z.strictObject(input.kind === 'video' ? OF_VIDEO : OF_CONTENT)
  const params = schema.safeParse(input.params)
  if (params.success) return input.params
  throw new ProviderError('rejected', `gemini parameters: ${params.error.message}`, {
    reason: 'input',
  })
}

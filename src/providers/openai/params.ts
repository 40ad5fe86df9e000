import { z } from 'zod'

/**
 * What a caller may say under `input.provider_params.openai`. An allow-list, because the vendor's other
 * fields are ours (`model`, `prompt`, `n`, `size`), change the form of the answer (`stream`,
 * `partial_images`, `response_format`, `tools`), or are refused by every picture model (`style`, `seed`,
 * `negative_prompt`). Words that the vendor keeps adding to are left to the vendor to check.
 */
export const OpenaiParams = z.strictObject({
  quality: z.string().max(16).optional(),
  background: z.enum(['transparent', 'opaque', 'auto']).optional(),
  moderation: z.enum(['auto', 'low']).optional(),
  output_compression: z.int().min(0).max(100).optional(),
  input_fidelity: z.enum(['high', 'low']).optional(),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).optional(),
  reasoning_effort: z.string().max(16).optional(),
  verbosity: z.string().max(16).optional(),
})

/** Which of them, and of the model's own fields, each endpoint takes; the others are left out. */
export const GENERATION_FIELDS = ['quality', 'background', 'moderation', 'output_compression']
export const EDIT_FIELDS = ['quality', 'background', 'input_fidelity', 'output_compression']
export const TEXT_FIELDS = [
  'temperature',
  'top_p',
  'reasoning_effort',
  'verbosity',
  'max_output_tokens',
]

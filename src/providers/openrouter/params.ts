import { z } from 'zod'

/**
 * What a caller may say under `input.provider_params.openrouter`. An allow-list, because the vendor's other
 * fields are ours (`model`, `prompt`, `n`, `size`), choose who is paid and who sees the prompt (`provider`,
 * `models`, `plugins`), call back (`callback_url`), or change the form of the answer (`stream`, `tools`).
 */
export const OpenrouterParams = z.strictObject({
  quality: z.string().max(16).optional(),
  background: z.enum(['transparent', 'opaque', 'auto']).optional(),
  output_compression: z.int().min(0).max(100).optional(),
  seed: z.int().optional(),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).optional(),
  reasoning_effort: z.string().max(16).optional(),
})

/** Which of them, and of the model's own fields, each endpoint takes; the others are left out. */
export const IMAGE_FIELDS = ['quality', 'background', 'output_compression', 'seed', 'resolution']
export const CHAT_IMAGE_FIELDS = ['seed', 'temperature', 'top_p', 'resolution']
export const TEXT_FIELDS = ['seed', 'temperature', 'top_p', 'reasoning_effort', 'max_output_tokens']
export const VIDEO_FIELDS = ['seed', 'resolution', 'duration_seconds', 'generate_audio']

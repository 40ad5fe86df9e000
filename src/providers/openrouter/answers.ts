import { z } from 'zod'

const Amount = z.union([z.number(), z.string()])

/** The vendor's error object, wherever it turns up: alone with its status, in a 200, in a choice. */
export const VendorError = z.object({
  code: z.union([z.number(), z.string()]).nullish(),
  message: z.string().nullish(),
  metadata: z
    .object({
      error_type: z.string().nullish().catch(null),
      reasons: z.array(z.unknown()).nullish().catch(null),
      flagged_input: z.string().nullish().catch(null),
      patterns: z.array(z.unknown()).nullish().catch(null),
      provider_name: z.string().nullish().catch(null),
      provider_code: Amount.nullish().catch(null),
      raw: z.unknown().optional(),
      limit_source: z.string().nullish().catch(null),
      retry_after_seconds: z.number().nullish().catch(null),
    })
    .nullish()
    .catch(null),
})
export type VendorError = z.infer<typeof VendorError>

export const ErrorAnswer = z.object({ error: VendorError })

export const Usage = z.object({
  prompt_tokens: z.int().nullish().catch(null),
  completion_tokens: z.int().nullish().catch(null),
  cost: Amount.nullish().catch(null),
  is_byok: z.boolean().nullish().catch(null),
  cost_details: z
    .object({ upstream_inference_cost: Amount.nullish().catch(null) })
    .nullish()
    .catch(null),
})
export type Usage = z.infer<typeof Usage>

const Content = z.union([
  z.string(),
  z.array(z.object({ type: z.string().nullish(), text: z.string().nullish() })),
])

export const ChatAnswer = z.object({
  choices: z.array(
    z.object({
      finish_reason: z.string().nullish(),
      native_finish_reason: z.string().nullish(),
      error: VendorError.nullish(),
      message: z
        .object({
          content: Content.nullish(),
          refusal: z.string().nullish(),
          images: z.array(z.object({ image_url: z.object({ url: z.string() }) })).nullish(),
        })
        .nullish(),
    }),
  ),
  usage: Usage.nullish().catch(null),
})
export type Choice = z.infer<typeof ChatAnswer>['choices'][number]

export const ImagesAnswer = z.object({
  data: z.array(z.object({ b64_json: z.string().nullish() })),
  usage: Usage.nullish().catch(null),
})

export const VideoAnswer = z.object({
  id: z.string().min(1),
  status: z.string(),
  polling_url: z.string().nullish(),
  /** A sentence where the job failed. */
  error: z.unknown().optional(),
  /** Storage addresses that need no key. */
  urls: z.array(z.string()).nullish().catch(null),
  /** Despite the name they may be of the vendor's own API, and then they need the key. */
  unsigned_urls: z.array(z.string()).nullish().catch(null),
  usage: Usage.nullish().catch(null),
})
export type VideoAnswer = z.infer<typeof VideoAnswer>

/** Any other word means that it still runs, also one that we do not know. */
export const VIDEO_ENDS: ReadonlySet<string> = new Set([
  'completed',
  'failed',
  'cancelled',
  'expired',
])

export const KeyAnswer = z.object({
  data: z.object({
    limit_remaining: z.number().nullish(),
    is_management_key: z.boolean().nullish(),
  }),
})

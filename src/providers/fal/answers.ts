import { z } from 'zod'

/** What fal answers, as far as we look at it. Lax: a field more, less or of another type breaks nothing. */
export const Submitted = z.object({
  request_id: z.string().min(1),
  status_url: z.string(),
  response_url: z.string(),
  cancel_url: z.string().nullish().catch(null),
})

export const Status = z.object({
  status: z.string(),
  /** Only newer answers have these two, and only for what failed. */
  error: z.unknown().optional(),
  error_type: z.string().nullish().catch(null),
  metrics: z
    .object({ inference_time: z.number().nonnegative().nullish().catch(null) })
    .nullish()
    .catch(null),
})
export type Status = z.infer<typeof Status>

const Detail = z.object({
  type: z.string().nullish().catch(null),
  msg: z.string().nullish().catch(null),
})

/** Of models: `detail` is a list with types; of older ones and of the platform: a text. */
export const Refusal = z.object({
  detail: z
    .union([z.string(), z.array(Detail)])
    .nullish()
    .catch(null),
  error_type: z.string().nullish().catch(null),
})

const File = z.object({
  url: z.string(),
  content_type: z.string().nullish().catch(null),
})
const Files = z
  .union([File.transform(file => [file]), z.array(File)])
  .nullish()
  .catch(null)

/** Every endpoint has its own output; these are the names under which pictures and videos are found. */
export const Result = z.object({
  images: Files,
  image: Files,
  videos: Files,
  video: Files,
  has_nsfw_concepts: z.array(z.boolean()).nullish().catch(null),
})

export const Keys = z.object({
  keys: z.array(z.object({ x: z.string().nullish().catch(null) })),
})

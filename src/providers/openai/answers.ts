import { z } from 'zod'

/** What is taken of the vendor's answers; everything else in them may change as it likes. */
export const ImagesAnswer = z.object({
  data: z.array(z.object({ b64_json: z.string().nullish() })),
  usage: z.object({ input_tokens: z.int().nullish(), output_tokens: z.int().nullish() }).nullish(),
})
export type ImagesAnswer = z.infer<typeof ImagesAnswer>

export const ChatAnswer = z.object({
  choices: z.array(
    z.object({
      finish_reason: z.string().nullish(),
      message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
    }),
  ),
  usage: z
    .object({ prompt_tokens: z.int().nullish(), completion_tokens: z.int().nullish() })
    .nullish(),
})
export type ChatAnswer = z.infer<typeof ChatAnswer>

export const ModelsAnswer = z.object({ data: z.array(z.unknown()) })

export const ErrorAnswer = z.object({
  error: z.object({
    message: z.string().nullish(),
    type: z.string().nullish(),
    code: z.union([z.string(), z.number()]).nullish(),
    param: z.string().nullish(),
  }),
})

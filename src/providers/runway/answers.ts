import { z } from 'zod'

/** What Runway answers, as far as we look at it. Lax: a field more, less or of another type breaks nothing. */
export const Created = z.object({
  // It becomes part of an address.
  id: z.string().regex(/^[\w-]{1,128}$/),
})

export const Task = z.object({
  status: z.string(),
  /** 0 to 1, while it runs. */
  progress: z.number().nullish().catch(null),
  output: z.array(z.string()).nullish().catch(null),
  failure: z.string().nullish().catch(null),
  failureCode: z.string().nullish().catch(null),
  /** Once it has ended: what is charged after all refunds. */
  cost: z.object({ credits: z.number().nonnegative() }).nullish().catch(null),
})
export type Task = z.infer<typeof Task>

export const Refusal = z.object({
  error: z.string().nullish().catch(null),
  issues: z
    .array(
      z.object({
        path: z
          .array(z.union([z.string(), z.number()]))
          .nullish()
          .catch(null),
      }),
    )
    .nullish()
    .catch(null),
})

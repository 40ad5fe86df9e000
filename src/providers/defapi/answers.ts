import { z } from 'zod'

/** Around every answer. Other codes than 0 are errors, also with status 200. */
export const Envelope = z.object({
  code: z.number(),
  message: z.string().nullish().catch(null),
  detail: z.string().nullish().catch(null),
  data: z.unknown().optional(),
})
export type Envelope = z.infer<typeof Envelope>

export const Submitted = z.object({ task_id: z.string().min(1).max(200) })

export const Task = z.object({
  status: z.string(),
  result: z.unknown().optional(),
  status_reason: z
    .object({ message: z.string().nullish().catch(null) })
    .nullish()
    .catch(null),
  consumed: z.union([z.string(), z.number()]).nullish().catch(null),
})
export type Task = z.infer<typeof Task>

import { z } from 'zod'

const Credits = z.number().nonnegative().nullish().catch(null)
const Words = z.unknown().optional()

/** A start's answer. What a newer one has more is not looked at; without an address there is no asking. */
export const Submitted = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,128}$/),
  polling_url: z.string(),
  cost: Credits,
})

/**
 * How a task stands, as far as it is read, so that a new field or a missing one breaks nothing. `details` is
 * in the vendor's description of its API, `error` and `message` are in its guide; the cost at the end is told
 * for some models. How `progress` is counted is not documented, so it is not read.
 */
export const TaskResult = z.object({
  status: z.string(),
  result: z
    .object({ sample: z.string().nullish().catch(null) })
    .nullish()
    .catch(null),
  cost: Credits,
  details: Words,
  error: Words,
  message: Words,
})
export type TaskResult = z.infer<typeof TaskResult>

/** A credit is a cent. Null where nothing is told. */
export function microUsdOf(credits: number | null | undefined): number | null {
  return typeof credits === 'number' ? Math.round(credits * MICRO_USD_OF_A_CREDIT) : null
}

const MICRO_USD_OF_A_CREDIT = 10_000

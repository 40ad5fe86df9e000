import { z } from 'zod'
import { ProviderError } from '../errors'
import type { Operation, ProviderInput } from '../spec'
import type { Generation } from './generation'

/** What is stored of a start: all that polling, deleting and counting the cost need later. */
export const LumaOperation = z.object({
  /** The vendor's answers hold no addresses to ask at: an id is all there is. */
  generations: z.array(z.string().regex(/^[A-Za-z0-9_-]{1,128}$/)).min(1),
  /** Null where the start was found and not made: then nobody knows what was asked for. */
  asked: z
    .object({
      made: z.string(),
      /** Of the video that was asked for. */
      seconds: z.number().nullable(),
      rates: z
        .object({
          per_output: z.number().exactOptional(),
          per_second: z.number().exactOptional(),
          per_call: z.number().exactOptional(),
        })
        .nullable(),
    })
    .nullable(),
  started_at_ms: z.number(),
})

export type LumaOperation = z.infer<typeof LumaOperation>

export function operationOf(
  generations: Generation[],
  asked: LumaOperation['asked'],
  nowMs: number,
): LumaOperation {
  return { generations: generations.map(({ id }) => id), asked, started_at_ms: nowMs }
}

export function askedOf({ extra, config }: ProviderInput, made: string): LumaOperation['asked'] {
  const { duration_seconds } = extra
  const seconds = typeof duration_seconds === 'number' ? duration_seconds : null
  return { made, seconds, rates: config.cost ?? null }
}

/** Throws ProviderError `unknown_outcome` for an operation that is none of ours. */
export function readOperation(operation: Operation): LumaOperation {
  const result = LumaOperation.safeParse(operation)
  if (result.success) return result.data
  throw new ProviderError('unknown_outcome', 'this is no operation of Luma', {
    cause: result.error,
  })
}

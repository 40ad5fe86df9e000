import { z } from 'zod'
import { Price, priceOf } from '../cost'
import type { ProviderInput } from '../spec'
import type { Generation } from './generation'

/** What is stored of a start: all that polling, deleting and counting the cost need later. */
export const LumaOperation = z.object({
  /** The vendor's answers hold no addresses to ask at: an id is all there is. */
  generations: z.array(z.string().regex(/^[A-Za-z0-9_-]{1,128}$/)).min(1),
  made: z.string(),
  started_at_ms: z.number(),
  ...Price.shape,
})

export type LumaOperation = z.infer<typeof LumaOperation>

export function operationOf(
  generations: Generation[],
  made: string,
  input: ProviderInput,
  nowMs: number,
): LumaOperation {
  const ids = generations.map(({ id }) => id)
  return { generations: ids, made, started_at_ms: nowMs, ...priceOf(input) }
}

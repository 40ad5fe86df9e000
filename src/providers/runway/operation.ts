import { z } from 'zod'
import { ProviderError } from '../errors'
import type { Operation } from '../spec'
import { Created } from './answers'

/** Everything that polling needs, so that a restart changes nothing. */
export const RunwayOperation = z.object({
  /** One task makes what one call asked for; several outputs are mostly several tasks. */
  tasks: z.array(Created.extend({ outputs: z.int() })).min(1),
  started_at_ms: z.int(),
  /** Of one output, where it was asked for. */
  seconds: z.number().nullable(),
  rates: z
    .object({
      per_output: z.number().exactOptional(),
      per_second: z.number().exactOptional(),
      per_call: z.number().exactOptional(),
    })
    .nullable(),
})
export type RunwayOperation = z.infer<typeof RunwayOperation>
export type RunwayTask = RunwayOperation['tasks'][number]

/** Throws ProviderError `unknown_outcome` when the operation is none of ours: it can never be asked about. */
export function readOperation(operation: Operation): RunwayOperation {
  const parsed = RunwayOperation.safeParse(operation)
  if (parsed.success) return parsed.data
  throw new ProviderError('unknown_outcome', 'this is no operation of Runway', {
    cause: parsed.error,
  })
}

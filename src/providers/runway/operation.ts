import { z } from 'zod'
import { Price } from '../cost'
import { Created } from './answers'

/** Everything that polling needs, so that a restart changes nothing. */
export const RunwayOperation = z.object({
  /** One task makes what one call asked for; several outputs are mostly several tasks. */
  tasks: z.array(Created.extend({ outputs: z.int() })).min(1),
  started_at_ms: z.int(),
  ...Price.shape,
})
export type RunwayOperation = z.infer<typeof RunwayOperation>
export type RunwayTask = RunwayOperation['tasks'][number]

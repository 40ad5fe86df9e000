import { z } from 'zod'

/**
 * What is read of the vendor's answers, and no more, so that a new field or a missing one breaks nothing.
 * A status that is not known means that it goes on.
 */
export const Prediction = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,128}$/),
  status: z.string(),
  output: z.unknown().optional(),
  error: z.unknown().optional(),
  logs: z.string().nullish().catch(null),
  webhook: z.string().nullish().catch(null),
  metrics: z
    .object({ predict_time: z.number().min(0).nullish() })
    .nullish()
    .catch(null),
  urls: z.object({ get: z.string().nullish(), cancel: z.string().nullish() }).nullish().catch(null),
})

export type Prediction = z.infer<typeof Prediction>

/** `aborted`: its deadline came before it began. The other four are in the vendor's oldest client too. */
const ENDED = new Set(['succeeded', 'failed', 'canceled', 'aborted'])

export function isEnded(status: string): boolean {
  return ENDED.has(status)
}

/** How far a model that reports as most do says it is: the last ` 76%|` of its log. */
export function progressOf({ logs }: Prediction): number | null {
  const last = [...(logs ?? '').slice(-LOG_READ).matchAll(/(\d{1,3})%\|/g)].at(-1)
  return last ? Math.min(Number(last[1]), 99) : null
}

const LOG_READ = 4_096

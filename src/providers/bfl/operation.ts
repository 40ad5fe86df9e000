import { z } from 'zod'
import { Price } from '../cost'
import { ProviderError } from '../errors'
import { readOperation } from '../read-operation'
import type { Operation } from '../spec'
import { mayBeAsked } from './hosts'

const BflTask = z.object({
  id: z.string(),
  polling_url: z.string(),
  /** What it costs, as the start was told; null where it was not. */
  micro_usd: z.number().nullable(),
})
export type BflTask = z.infer<typeof BflTask>

/** What is stored of a start: all that polling and counting the cost need later. */
const BflOperation = z.object({
  tasks: z.array(BflTask).min(1),
  started_at_ms: z.number(),
  ...Price.shape,
})
export type BflOperation = z.infer<typeof BflOperation>

/** Throws ProviderError `unknown_outcome` when the operation is none of ours: it can never be asked about. */
export function storedOperation(stored: Operation, baseUrl: string): BflOperation {
  const operation = readOperation('Black Forest Labs', BflOperation, stored)
  const isAskable = operation.tasks.every(({ polling_url }) => mayBeAsked(baseUrl, polling_url))
  if (isAskable) return operation
  throw new ProviderError('unknown_outcome', 'its addresses are none of Black Forest Labs')
}

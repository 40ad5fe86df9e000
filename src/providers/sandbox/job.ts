import { z } from 'zod'
import { ProviderError } from '../errors'
import type { Operation, ProviderContext, ProviderInput } from '../spec'
import type { SandboxParams } from './params'
import { sizeOf } from './size'

/**
 * Everything that the outcome depends on. It is the stored operation, so a restart changes nothing.
 */
export const SandboxJob = z.object({
  kind: z.enum(['image', 'image_edit', 'video', 'upscale', 'text']),
  prompt: z.string(),
  seed: z.int(),
  width: z.int(),
  height: z.int(),
  format: z.enum(['png', 'jpeg', 'webp']),
  count: z.int(),
  is_canned: z.boolean(),
  fail: z.enum(['rejected', 'rate_limited', 'unavailable', 'unknown_outcome']).nullable(),
  started_at_ms: z.int(),
  ready_at_ms: z.int(),
})

export type SandboxJob = z.infer<typeof SandboxJob>

/** Throws ProviderError `rejected` for a kind that the sandbox cannot make. */
export function describeJob(
  input: ProviderInput,
  params: SandboxParams,
  ctx: ProviderContext,
): SandboxJob {
  const kind = SandboxJob.shape.kind.safeParse(input.kind)
  if (!kind.success) {
    throw new ProviderError('rejected', `the sandbox makes no ${input.kind}`, { reason: 'input' })
  }
  return {
    kind: kind.data,
    prompt: input.prompt ?? `(${kind.data} without a prompt)`,
    seed: seedOf(input, ctx.reference),
    ...sizeOf(input.aspectRatio),
    format: input.outputFormat ?? 'png',
    count: Math.min(input.numOutputs, params.outputs ?? input.numOutputs),
    is_canned: params.canned,
    fail: failureOf(params, ctx.attemptNumber),
    started_at_ms: ctx.nowMs,
    ready_at_ms: ctx.nowMs + params.latency_ms,
  }
}

/**
 * Throws ProviderError `unknown_outcome` when the operation is none of ours: it can never be asked
 * about.
 */
export function readJob(operation: Operation): SandboxJob {
  const job = SandboxJob.safeParse(operation)
  if (job.success) return job.data
  throw new ProviderError('unknown_outcome', 'the sandbox cannot read this operation', {
    cause: job.error,
  })
}

/** As with a real vendor two jobs of one prompt differ, unless the caller names the seed. */
function seedOf(input: ProviderInput, reference: string): number {
  const { seed } = input.extra
  return typeof seed === 'number' && Number.isSafeInteger(seed) ? seed : Bun.hash.crc32(reference)
}

function failureOf(params: SandboxParams, attemptNumber: number): SandboxJob['fail'] {
  const failures = params.fail_times ?? Number.POSITIVE_INFINITY
  return params.fail !== undefined && attemptNumber <= failures ? params.fail : null
}

import { z } from 'zod'

/** Ten minutes: longer than any deadline that a test wants to see pass. */
const LONGEST_LATENCY_MS = 600_000
const MOST_OUTPUTS = 4

/**
 * What a caller may ask of the sandbox under `input.provider_params.sandbox`, to see how an app
 * copes.
 */
export const SandboxParams = z.strictObject({
  latency_ms: z.int().min(0).max(LONGEST_LATENCY_MS).default(0),
  /**
   * `sync` answers when it is done; `async` answers at once and is then polled, as slow vendors
   * are.
   */
  mode: z.enum(['sync', 'async']).default('sync'),
  fail: z.enum(['rejected', 'rate_limited', 'unavailable', 'unknown_outcome']).optional(),
  /** How many attempts of the job fail before one succeeds; without it all of them fail. */
  fail_times: z.int().min(0).optional(),
  /** Makes at most so many, however many were asked for. */
  outputs: z.int().min(0).max(MOST_OUTPUTS).optional(),
  /**
   * One prepared picture of a kilobyte instead of drawn ones: measures everything but the drawing.
   */
  canned: z.boolean().default(false),
})

export type SandboxParams = z.infer<typeof SandboxParams>

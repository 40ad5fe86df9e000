import { AppError } from '@/base/errors'
import type { Drawing, DrawRequest } from '@/threads/draw'
import { ProviderError } from '../errors'
import type {
  Done,
  Output,
  Pending,
  Provider,
  ProviderContext,
  ProviderInput,
  StartResult,
} from '../spec'
import { usageOf, writeAnswer } from './answer'
import { readSandboxCallback } from './callback'
import { cannedPicture } from './canned'
import { CLIP, clip } from './clip'
import { describeJob, readJob, type SandboxJob } from './job'
import { SandboxParams } from './params'

export type SandboxOptions = {
  /** Off the loop: a picture takes tens of milliseconds of a core. */
  draw(request: DrawRequest, signal: AbortSignal): Promise<Drawing>
  /** Rejects when the signal fires. */
  delay(ms: number, signal: AbortSignal): Promise<unknown>
  /** False makes it a vendor whose starts must not be repeated. */
  startIsRepeatable?: boolean
  /**
   * Told the attempt's reference whenever work begins, before anything else happens. Not told of
   * starts that are refused at the door: bad parameters, `rate_limited`, `unavailable`.
   */
  onStart?(reference: string): void
}

/**
 * The built-in provider: it makes real pictures and answers, shows one short video, fails on demand,
 * and keeps no state, so it goes on after a restart as a vendor elsewhere would. In mode `sync` a failure comes from
 * `start`. In mode `async` what is about starting (`rate_limited`, `unknown_outcome`) comes from
 * `start`, and what is about making (`rejected`, `unavailable`) comes from the poll that would have
 * been the last.
 */
export function createSandbox({
  draw,
  delay,
  startIsRepeatable = true,
  onStart,
}: SandboxOptions): Provider {
  return {
    name: 'sandbox',
    isKeyless: true,
    params: SandboxParams,
    ...(startIsRepeatable ? { startIsRepeatable: true as const } : {}),

    async start(input, ctx): Promise<StartResult> {
      const params = readParams(input)
      const job = describeJob(input, params, ctx)
      const isAsync = params.mode === 'async'
      const isRefused = job.fail === 'rate_limited' || (job.fail === 'unavailable' && !isAsync)
      if (!isRefused) onStart?.(ctx.reference)
      if (isAsync && job.fail !== 'rate_limited' && job.fail !== 'unknown_outcome') {
        throwIfAborted(ctx)
        return pendingUntilReady(job, ctx.nowMs)
      }
      await wait(params.latency_ms, ctx)
      return finish(job, ctx)
    },

    async poll(operation, ctx) {
      throwIfAborted(ctx)
      const job = readJob(operation)
      return ctx.nowMs < job.ready_at_ms ? pendingUntilReady(job, ctx.nowMs) : finish(job, ctx)
    },

    /** There is nothing to stop, and to say so again changes nothing. */
    async cancel(operation) {
      readJob(operation)
    },

    async parseCallback(rawBody, headers, ctx) {
      return readSandboxCallback(rawBody, headers, ctx)
    },

    async check(ctx) {
      throwIfAborted(ctx)
    },
  }

  async function wait(ms: number, ctx: ProviderContext): Promise<void> {
    throwIfAborted(ctx)
    if (ms === 0) return
    await delay(ms, ctx.signal).catch(error => {
      throw interrupted(error)
    })
  }

  async function finish(job: SandboxJob, ctx: ProviderContext): Promise<Done> {
    if (job.fail) throw failure(job.fail)
    if (job.kind === 'text') return answered(job)
    if (job.kind === 'video') return filmed(job)
    const numbers = Array.from({ length: job.count }, (_, index) => index)
    const outputs = await Promise.all(numbers.map(index => picture(job, index, ctx)))
    return { state: 'done', outputs, usage: { costMicroUsd: 0 } }
  }

  async function picture(job: SandboxJob, index: number, ctx: ProviderContext): Promise<Output> {
    if (job.is_canned) return { type: 'file', bytes: cannedPicture(), contentType: 'image/png' }
    const { prompt, seed, width, height, format } = job
    try {
      const drawing = await draw({ prompt, seed, width, height, format, index }, ctx.signal)
      return { type: 'file', bytes: drawing.bytes, contentType: drawing.contentType }
    } catch (error) {
      throw drawingFailure(error, ctx)
    }
  }
}

/** How soon a poll is worth it, whatever the latency. */
const SOONEST_POLL_MS = 20
const LATEST_POLL_MS = 2_000
const RETRY_AFTER_MS = 1_000

function readParams(input: ProviderInput): SandboxParams {
  const params = SandboxParams.safeParse(input.params)
  if (params.success) return params.data
  throw new ProviderError('rejected', `sandbox parameters: ${params.error.message}`, {
    reason: 'input',
  })
}

function pendingUntilReady(job: SandboxJob, nowMs: number): Pending {
  const left = Math.max(job.ready_at_ms - nowMs, 0)
  const whole = Math.max(job.ready_at_ms - job.started_at_ms, 1)
  return {
    state: 'pending',
    operation: job,
    pollAfterMs: Math.min(Math.max(left, SOONEST_POLL_MS), LATEST_POLL_MS),
    progress: Math.max(Math.min(Math.floor((1 - left / whole) * 100), 99), 0),
  }
}

function answered(job: SandboxJob): Done {
  const answers = Array.from({ length: job.count }, (_, index) => writeAnswer(job, index))
  return {
    state: 'done',
    outputs: answers.map(text => ({ type: 'text', text })),
    usage: usageOf(job.prompt, answers),
  }
}

/** The same clip each time, whatever length and shape were asked for. */
function filmed({ count }: SandboxJob): Done {
  const { contentType, seconds } = CLIP
  const film = (): Output => ({ type: 'file', bytes: clip(), contentType })
  return {
    state: 'done',
    outputs: Array.from({ length: count }, film),
    usage: { seconds: seconds * count, costMicroUsd: 0 },
  }
}

function failure(kind: NonNullable<SandboxJob['fail']>): ProviderError {
  const message = `the sandbox was asked to fail: ${kind}`
  if (kind === 'rejected') return new ProviderError(kind, message, { reason: 'content' })
  if (kind === 'rate_limited') {
    return new ProviderError(kind, message, { retryAfterMs: RETRY_AFTER_MS })
  }
  return new ProviderError(kind, message)
}

/**
 * A drawing that failed left nothing behind, so another may try; a full queue of drawings is our
 * rate limit.
 */
function drawingFailure(error: unknown, ctx: ProviderContext): ProviderError {
  if (ctx.signal.aborted) return interrupted(error)
  if (error instanceof AppError && error.code === 'busy') {
    return new ProviderError('rate_limited', 'too many drawings are waiting', {
      retryAfterMs: RETRY_AFTER_MS,
      cause: error,
    })
  }
  return new ProviderError('unavailable', 'the drawing failed', { cause: error })
}

function throwIfAborted(ctx: ProviderContext): void {
  if (ctx.signal.aborted) throw interrupted(ctx.signal.reason)
}

/** Whoever stops listening to a vendor does not know what the vendor does next. */
function interrupted(cause: unknown): ProviderError {
  return new ProviderError('unknown_outcome', 'the call was interrupted', { cause })
}

import { z } from 'zod'
import { ProviderError } from '../errors'
import type { VendorAnswer } from '../http'
import type { Operation } from '../spec'
import { ABOUT_CONTENT, GoogleError, geminiPollError, refused } from './errors'

/** What polling needs after a restart: nothing of the route is at hand by then. */
export const VideoOperation = z.object({
  names: z.array(z.string().refine(isOperationName)).min(1),
  started_at_ms: z.int(),
  /** Of one video, where we asked for a length. */
  seconds: z.number().nullable(),
  rates: z.partialRecord(z.enum(['per_output', 'per_second', 'per_call']), z.number()).nullable(),
})
export type VideoOperation = z.infer<typeof VideoOperation>

/** Throws `unknown_outcome` for an operation that is none of ours: it can never be asked about. */
export function readOperation(operation: Operation): VideoOperation {
  const parsed = VideoOperation.safeParse(operation)
  if (parsed.success) return parsed.data
  throw new ProviderError('unknown_outcome', 'gemini cannot read this operation', {
    cause: parsed.error,
  })
}

/** The name becomes a path of a call that carries the key: nothing in it may lead elsewhere. */
export function isOperationName(name: string): boolean {
  return /^(?:[\w.-]+\/)*operations\/[\w.-]+$/.test(name) && !name.includes('..')
}

/** How one operation stands: addresses of its videos, or why it ended without any. */
export type Standing = 'running' | string[] | ProviderError

/** Throws `rate_limited` or `unknown_outcome` where the answer says nothing of the operation. */
export function readStanding(answer: VendorAnswer): Standing {
  if (answer.status !== 200) {
    const error = geminiPollError(answer)
    if (error.kind === 'unavailable') return error
    throw error
  }
  const parsed = Answer.safeParse(answer.json)
  if (!parsed.success) {
    throw new ProviderError('unknown_outcome', 'the answer is no operation', {
      cause: parsed.error,
    })
  }
  const { done, error, response } = parsed.data
  if (done !== true) return 'running'
  if (error) return whyEnded(error)
  const told = response?.generateVideoResponse
  const uris = (told?.generatedSamples ?? []).flatMap(sample => sample?.video?.uri ?? [])
  return uris.length > 0 ? uris : whyNone(told)
}

const VideoResponse = z.object({
  generatedSamples: z
    .array(
      z
        .object({ video: z.object({ uri: z.string() }).nullish().catch(null) })
        .nullish()
        .catch(null),
    )
    .nullish()
    .catch(null),
  raiMediaFilteredCount: z.number().nullish().catch(null),
  raiMediaFilteredReasons: z.array(z.string()).nullish().catch(null),
})
const Answer = z.object({
  done: z.unknown().optional(),
  error: GoogleError.nullish().catch(null),
  response: z.object({ generateVideoResponse: VideoResponse.nullish() }).nullish().catch(null),
})

/** The code is that of an RPC (3) or of HTTP (400): an input that was turned down. */
const INVALID_ARGUMENT = [3, 400]

function whyEnded(error: GoogleError): ProviderError {
  const message = `the operation failed: ${error.code ?? ''} ${error.message ?? ''}`.trim()
  const isInput = INVALID_ARGUMENT.includes(error.code ?? 0)
  if (isInput || ABOUT_CONTENT.test(message)) return refused(error, message)
  return new ProviderError('unavailable', message)
}

function whyNone(told: z.infer<typeof VideoResponse> | null | undefined): ProviderError {
  const reasons = told?.raiMediaFilteredReasons ?? []
  if (reasons.length > 0 || (told?.raiMediaFilteredCount ?? 0) > 0) {
    const message = `every video was filtered: ${reasons.join(' ')}`
    return new ProviderError('rejected', message, { reason: 'content' })
  }
  return new ProviderError('unavailable', 'the operation ended without a video')
}

import { MESSAGE_KEPT, ProviderError } from '../errors'
import { errorOfPollStatus, errorOfStatus, type VendorAnswer } from '../http'
import { Refusal, type Status } from './answers'

/** Why a submit was turned down. */
export function startError(answer: VendorAnswer): ProviderError {
  const words = wordsOf(answer)
  if (isAboutTheInput(answer.status)) return refusal(answer.status, words)
  // Nobody says whether the queue had taken it.
  if (answer.status === 500) return new ProviderError('unknown_outcome', told(500, words))
  return errorOfStatus(answer, words.text)
}

/**
 * Why a finished request has no result: the queue knows no failed status, and what answers the question for
 * the result is the error. `rejected` and `unavailable` say that it ended so, the others to ask again.
 */
export function resultError(answer: VendorAnswer, status: Status): ProviderError {
  const words = wordsOf(answer, status)
  if (isAboutTheInput(answer.status)) return refusal(answer.status, words)
  // A type is fal's own word and no gateway's, and an old endpoint that broke says so with a plain 500.
  const isItsEnd =
    words.types.length > 0 || hasFailed(status) || (answer.status === 500 && words.isPlain)
  if (answer.status >= 500 && isItsEnd) return refusal(answer.status, words)
  return errorOfPollStatus(answer, words.text)
}

/** It ended, and there is nothing to fetch. */
export function emptyError(status: Status): ProviderError {
  const types = status.error_type ? [status.error_type] : []
  const text = `no output in a form that we know; its status says ${JSON.stringify(status.error ?? null)}`
  return refusal(ENDED_EMPTY, { types, text, isPlain: false, isRetryable: false })
}

/** Asking too early for a result is answered by an error. */
export function isStillRunning(answer: VendorAnswer): boolean {
  return wordsOf(answer).text === 'Request is still in progress'
}

/** Newer status bodies tell of a failure themselves; the two words are documented nowhere, in case they come. */
export function hasFailed({ status, error, error_type }: Status): boolean {
  return ['FAILED', 'ERROR'].includes(status) || Boolean(error) || Boolean(error_type)
}

const CONTENT_TYPES = ['content_policy_violation', 'no_media_generated']
/** Nobody's input: what worked on it, or stood behind it, broke down or was stopped. */
const BREAKDOWN_TYPES = [
  'internal_server_error',
  'generation_timeout',
  'downstream_service_error',
  'downstream_service_unavailable',
  'request_timeout',
  'startup_timeout',
  'runner_scheduling_failure',
  'runner_connection_timeout',
  'runner_disconnected',
  'runner_connection_refused',
  'runner_connection_error',
  'runner_incomplete_response',
  'runner_server_error',
  'internal_error',
  'client_disconnected',
  'client_cancelled',
]
/** Older endpoints answer a sentence without a type; of these words only the reason depends. */
const CONTENT_WORDS = /content policy|nsfw|moderat|safety (checker|filter|system)/i
/** Our key, our credit, the endpoint's name, the rate: what the caller wrote has no part in them. */
const NOT_ABOUT_THE_INPUT = [401, 402, 403, 404, 405, 408, 409, 410, 429]
const ENDED_EMPTY = 500

type Words = {
  types: string[]
  text: string
  /** The detail is a text, as older endpoints and the platform write it. */
  isPlain: boolean
  /** fal says that the very same request may work another time. Its pages name two headers for it. */
  isRetryable: boolean
}

function isAboutTheInput(status: number): boolean {
  return status >= 400 && status < 500 && !NOT_ABOUT_THE_INPUT.includes(status)
}

function wordsOf(answer: VendorAnswer, status?: Status): Words {
  const { detail = null, error_type = null } = Refusal.safeParse(answer.json).data ?? {}
  const list = Array.isArray(detail) ? detail : []
  const types = [
    ...list.map(({ type }) => type),
    error_type,
    answer.headers.get('x-fal-error-type'),
    status?.error_type,
  ].filter(type => typeof type === 'string')
  const isPlain = typeof detail === 'string'
  const text = isPlain ? detail : list.map(({ msg }) => msg ?? '').join('; ')
  const isRetryable = ['x-fal-retryable', 'x-fal-needs-retry'].some(
    name => answer.headers.get(name) === 'true',
  )
  return { types, text: text || answer.text, isPlain, isRetryable }
}

/** A no in fal's own words. Whose fault it is goes by their types, and else by the status. */
function refusal(status: number, words: Words): ProviderError {
  const message = told(status, words)
  const has = (known: string[]) => words.types.some(type => known.includes(type))
  if (has(CONTENT_TYPES)) return new ProviderError('rejected', message, { reason: 'content' })
  const isNobodysInput = status >= 500 || words.isRetryable || has(BREAKDOWN_TYPES)
  if (isNobodysInput) return new ProviderError('unavailable', message)
  const isContent = words.isPlain && CONTENT_WORDS.test(words.text)
  return new ProviderError('rejected', message, { reason: isContent ? 'content' : 'input' })
}

function told(status: number, { types, text }: Words): string {
  return `${status} ${types.join(', ')}: ${text.slice(0, MESSAGE_KEPT)}`
}

import { AppError } from '@/base/errors'
import type { Log } from '@/base/log'

/** CONTRACT section 1: flat, a sentence for people and a word for programs, never what the caller sent. */
export function errorBody(error: AppError, requestId: string): Record<string, unknown> {
  return { error: error.message, code: error.code, request_id: requestId, ...error.detail }
}

/** What the caller is told of anything thrown. Our own bugs are logged with their cause and told as a bare 500. */
export function toAppError(thrown: unknown, log: Log): AppError {
  if (thrown instanceof AppError) {
    if (thrown.internal !== null)
      log.info('refused', { code: thrown.code, internal: thrown.internal })
    return thrown
  }
  log.error('a request failed', { error: thrown })
  return new AppError('internal_error')
}

/** Seconds to wait, for the header, where the error knows them. */
export function retryAfterOf(error: AppError): number | null {
  const seconds = error.detail.retry_after
  return typeof seconds === 'number' ? seconds : null
}

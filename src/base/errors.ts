/**
 * Every refusal of the product. `status` classifies, `message` is for people and says what to do next.
 * The domain throws codes and knows no HTTP; each door renders them its own way. docs/errors.md explains
 * each code and a test keeps both lists equal.
 */
export const ERRORS = {
  invalid_input: { status: 400, message: 'The request is not valid; `details` names the fields.' },
  missing_api_key: {
    status: 401,
    message: 'Send your API key as `X-API-Key` or `Authorization: Bearer`.',
  },
  invalid_api_key: { status: 401, message: 'This API key is unknown, expired or revoked.' },
  missing_user: { status: 401, message: 'Say for which user with `X-User-ID`.' },
  missing_user_token: {
    status: 401,
    message:
      'A publishable live key needs `X-User-Token`; your server gets one from POST /api/v1/users/{external_id}/token.',
  },
  invalid_user_token: {
    status: 401,
    message: 'This user token is expired or not for this user; get a new one from your server.',
  },
  insufficient_tokens: { status: 402, message: 'The user has too few tokens for this request.' },
  forbidden: { status: 403, message: 'This kind of key may not do that.' },
  app_disabled: { status: 403, message: 'This app is switched off.' },
  user_deactivated: { status: 403, message: 'This user is deactivated.' },
  budget_exceeded: { status: 403, message: 'The budget of this period is used up.' },
  not_found: { status: 404, message: 'There is nothing here for this key.' },
  model_not_found: {
    status: 404,
    message: 'There is no such model; GET /api/v1/models lists what there is.',
  },
  idempotency_in_progress: {
    status: 409,
    message: 'A request with this idempotency key is still running; repeat it in a moment.',
  },
  conflict: { status: 409, message: 'This would collide with something that exists.' },
  job_not_cancellable: { status: 409, message: 'The job has ended and cannot be cancelled.' },
  too_large: { status: 413, message: 'The request is larger than `max_bytes`.' },
  unsupported_media: { status: 415, message: 'Send one of the media types in `allowed`.' },
  idempotency_mismatch: {
    status: 422,
    message: 'This idempotency key was used with another body; take a new key.',
  },
  rate_limited: {
    status: 429,
    message: 'Too many requests; wait as long as `retry_after` says.',
  },
  concurrency_limit: { status: 429, message: 'Too many jobs at once; wait for one to end.' },
  daily_limit: { status: 429, message: 'The limit of this day is used up.' },
  spend_limit: { status: 429, message: 'The spending limit of this period is used up.' },
  internal_error: {
    status: 500,
    message: 'Something broke on our side; the request id finds it in the log.',
  },
  no_provider_available: {
    status: 503,
    message: 'No provider can serve this model right now; nothing was charged.',
  },
  shutting_down: { status: 503, message: 'The server is restarting; repeat the request.' },
  busy: { status: 503, message: 'The server is busy; repeat the request.' },
} as const satisfies Record<string, { status: number; message: string }>

export type ErrorCode = keyof typeof ERRORS

/** One wrong field. `path` is dotted (`input.num_outputs`); neither holds what the caller sent. */
export type InputProblem = { path: string; message: string }

export type AppErrorOptions = {
  /** Extra fields of the answer, as CONTRACT names them (`balance`, `retry_after`, `details`, ...). */
  detail?: Record<string, unknown>
  /** For the log only. */
  internal?: string
  cause?: unknown
}

export class AppError extends Error {
  override readonly name = 'AppError'
  readonly status: number
  readonly detail: Record<string, unknown>
  readonly internal: string | null

  constructor(
    readonly code: ErrorCode,
    options: AppErrorOptions = {},
  ) {
    super(ERRORS[code].message, options.cause === undefined ? undefined : { cause: options.cause })
    this.status = ERRORS[code].status
    this.detail = options.detail ?? {}
    this.internal = options.internal ?? null
  }
}

export function invalidInput(path: string, message: string): AppError {
  return new AppError('invalid_input', { detail: { details: [{ path, message }] } })
}

/**
 * Somebody else changed the row first (cancel, deadline, callback, another worker): everything in this
 * write is undone and the loser goes away quietly. Not a failure, so nobody retries it.
 */
export class Superseded extends Error {
  override readonly name = 'Superseded'
}

/** Law 3: a transition names the state it leaves, and exactly one row must have been in it. */
export function mustChangeOne(changes: number, what: string): void {
  if (changes !== 1) throw new Superseded(what)
}

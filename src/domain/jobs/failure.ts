/** Why a job failed. An open set on the wire; the sentences are ours and never a provider's text. */
const FAILURES = {
  content_rejected: {
    message: 'The provider refused this content. Change the prompt or the pictures.',
    isRetryable: false,
  },
  invalid_for_provider: {
    message: 'The provider could not use this input. Check sizes, formats and parameters.',
    isRetryable: false,
  },
  provider_failed: {
    message: 'The provider failed. The same request may succeed later.',
    isRetryable: true,
  },
  timeout: {
    message: 'It was not finished in time. The same request may succeed later.',
    isRetryable: true,
  },
  output_unusable: {
    message: 'What the provider made could not be used. The same request may succeed later.',
    isRetryable: true,
  },
  internal: {
    message: 'Something broke on our side. The same request may succeed later.',
    isRetryable: true,
  },
} as const

export type JobErrorCode = keyof typeof FAILURES

/** The wire's `error` and `retryable` for a stored code; a code of a newer version reads as internal. */
export function describeFailure(code: string): { message: string; isRetryable: boolean } {
  return code in FAILURES ? FAILURES[code as JobErrorCode] : FAILURES.internal
}

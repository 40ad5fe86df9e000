/** Refused by rule, before any byte left. The message is a sentence that a caller may see. */
export class BlockedDestination extends Error {
  override readonly name = 'BlockedDestination'
  readonly code = 'blocked_destination'
}

export type FetchFailureCode =
  | 'dns_failed'
  | 'connection_refused'
  | 'connection_failed'
  | 'tls_failed'
  | 'timeout'
  | 'aborted'
  | 'too_large'

/** The exchange broke. The message is for our logs. */
export class FetchFailure extends Error {
  override readonly name = 'FetchFailure'

  /** `mayHaveBeenSent` is false only when surely no byte of the request reached the peer. */
  constructor(
    readonly code: FetchFailureCode,
    readonly mayHaveBeenSent: boolean,
    cause?: unknown,
  ) {
    super(describe(code, cause), cause === undefined ? undefined : { cause })
  }
}

/** How far an exchange had come: what breaks before `sent` surely reached nobody. */
export type Phase = 'connecting' | 'handshaking' | 'sent'

/** What broke, in our words. `cut`: why we ended it ourselves, if we did. */
export function toFailure(
  error: unknown,
  phase: Phase,
  cut: 'timeout' | 'aborted' | null,
): FetchFailure {
  const wasSent = phase === 'sent'
  if (error instanceof FetchFailure) return error
  if (cut !== null) return new FetchFailure(cut, wasSent, error)
  if (!wasSent) {
    const code = codeOf(error)
    if (code === 'ECONNREFUSED') return new FetchFailure('connection_refused', false, error)
    if (phase === 'handshaking') return new FetchFailure('tls_failed', false, error)
  }
  return new FetchFailure('connection_failed', wasSent, error)
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function describe(code: FetchFailureCode, cause: unknown): string {
  if (cause === undefined) return code
  return `${code}: ${cause instanceof Error ? cause.message : String(cause)}`
}

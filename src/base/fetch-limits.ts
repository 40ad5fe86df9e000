import { FetchFailure } from './fetch-failure'

/** The time and the patience that one exchange has. */
export type Limits = {
  /** Why the exchange was cut off; null while it may go on. */
  readonly reason: 'timeout' | 'aborted' | null
  /** Runs `act` when the exchange is cut off, at once if it already is; answers how to take it back. */
  onCut(act: () => void): () => void
  /** For work that cannot be stopped: its answer no longer matters once the exchange is cut off. */
  orCut<T>(work: () => Promise<T>): Promise<T>
  /** The exchange is over: nothing is cut off any more. */
  end(): void
}

export function startLimits(timeoutMs: number, signal: AbortSignal | undefined): Limits {
  let reason: 'timeout' | 'aborted' | null = null
  const acts = new Set<() => void>()
  const cut = (why: 'timeout' | 'aborted') => {
    end()
    reason = why
    for (const act of acts) act()
  }
  const abort = () => cut('aborted')
  const timer = setTimeout(() => cut('timeout'), timeoutMs)
  const end = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()

  const onCut = (act: () => void) => {
    if (reason === null) acts.add(act)
    else act()
    return () => {
      acts.delete(act)
    }
  }
  return {
    get reason() {
      return reason
    },
    onCut,
    end,
    async orCut(work) {
      if (reason !== null) throw new FetchFailure(reason, false)
      let forget = () => {}
      const cutOff = new Promise<never>((_, reject) => {
        forget = onCut(() => reject(new FetchFailure(reason ?? 'aborted', false)))
      })
      try {
        return await Promise.race([cutOff, work()])
      } finally {
        forget()
      }
    },
  }
}

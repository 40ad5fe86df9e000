import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible'

/** What a limit says after a call was counted. `resetMs` is how long until the window starts anew. */
export type LimitState = { allowed: boolean; limit: number; remaining: number; resetMs: number }

/**
 * Calls in a fixed window, in memory: one process serves everything, and a restart may forgive a minute.
 * The numbers differ per app, so the limit comes with each call.
 */
export type Limiter = {
  take(key: string, limit: number): Promise<LimitState>
  /** As it is, without counting. */
  peek(key: string, limit: number): Promise<LimitState>
}

const UNBOUNDED = Number.MAX_SAFE_INTEGER

export function createLimiter(windowMs: number): Limiter {
  const counter = new RateLimiterMemory({ points: UNBOUNDED, duration: windowMs / 1000 })
  const state = (result: RateLimiterRes | null, limit: number): LimitState => {
    const used = result?.consumedPoints ?? 0
    const resetMs = result ? Math.max(result.msBeforeNext, 0) : windowMs
    return { allowed: used <= limit, limit, remaining: Math.max(limit - used, 0), resetMs }
  }
  return {
    async take(key, limit) {
      return state(await counter.consume(key), limit)
    },
    async peek(key, limit) {
      return state(await counter.get(key), limit)
    },
  }
}

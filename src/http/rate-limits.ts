import { isoSeconds, MINUTE } from '@/base/clock'
import { AppError } from '@/base/errors'
import { createLimiter, type LimitState } from '@/base/limiter'
import type { Deps } from '@/deps'
import type { Caller } from './caller'

/** What a call counts as. Reads are cheap and have ten times the room; reads of one job never fill the app's. */
export type Counts = 'change' | 'read' | 'read-one-job'

export type RateLimits = {
  /** Counts a call with a good key. Answers the headers to send; throws 429 when a limit is passed. */
  count(caller: Caller, counts: Counts): Promise<Record<string, string>>
  /** Counts a call without a good key. Throws 429 instead of the 401 it would have got. */
  countStranger(address: string): Promise<void>
}

const READ_FACTOR = 10
const WINDOW_SECONDS = MINUTE / 1000

export function createRateLimits(deps: Pick<Deps, 'config' | 'clock'>): RateLimits {
  const limiter = createLimiter(MINUTE)
  return {
    async count(caller, counts) {
      const factor = counts === 'change' ? 1 : READ_FACTOR
      const group = counts === 'change' ? 'change' : 'read'
      const states: [string, LimitState][] = []
      if (caller.user) {
        const key = `user:${group}:${caller.realm.id}:${caller.user.externalId}`
        const user = await limiter.take(key, caller.limits.perUser * factor)
        states.push(['user', user])
        // Not counted for the app: one user who does not stop would lock out all the others.
        if (!user.allowed) throw refusal(deps, user, headersOf(states))
      }
      if (counts !== 'read-one-job' || !caller.user) {
        const key = `app:${group}:${caller.realm.id}`
        states.push(['app', await limiter.take(key, caller.limits.perApp * factor)])
      }
      const headers = headersOf(states)
      const passed = states.find(([, state]) => !state.allowed)
      if (passed) throw refusal(deps, passed[1], headers)
      return headers
    },
    async countStranger(address) {
      const state = await limiter.take(`address:${address}`, deps.config.addressRateLimit)
      if (!state.allowed) throw refusal(deps, state, headersOf([['address', state]]))
    },
  }
}

/** https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ */
function headersOf(states: [string, LimitState][]): Record<string, string> {
  return {
    'ratelimit-policy': states
      .map(([name, { limit }]) => `"${name}";q=${limit};w=${WINDOW_SECONDS}`)
      .join(', '),
    ratelimit: states
      .map(([name, { remaining, resetMs }]) => `"${name}";r=${remaining};t=${seconds(resetMs)}`)
      .join(', '),
  }
}

/** Carries its headers along to the answer. */
export class RateLimited extends AppError {
  constructor(
    detail: Record<string, unknown>,
    readonly headers: Record<string, string>,
  ) {
    super('rate_limited', { detail })
  }
}

function refusal(
  deps: Pick<Deps, 'clock'>,
  state: LimitState,
  headers: Record<string, string>,
): RateLimited {
  const wait = seconds(state.resetMs)
  const detail = {
    retry_after: wait,
    limit: state.limit,
    resets_at: isoSeconds(deps.clock.wall() + wait * 1000),
  }
  return new RateLimited(detail, headers)
}

const seconds = (ms: number) => Math.max(Math.ceil(ms / 1000), 1)

import { MINUTE, SECOND } from '@/base/clock'
import type { JobId } from '@/base/ids'
import type { Db } from '@/db/open'
import type { Tx } from '@/db/write'
import type { Provider } from '@/providers/spec'

/**
 * How often one vendor is asked, over all jobs that wait there. In memory only: whoever was not counted
 * since the start is counted with his next question.
 */
type Pace = {
  /** Questions a millisecond that each waiting job would ask if it were alone, and when it is forgotten. */
  wanted: Map<JobId, { rate: number; until: number }>
  wantedInAll: number
  sweptAt: number
  /** When the next question may be asked without waiting. */
  freeAt: number
  /** Those who came too early, and the moment that was given to each. */
  turns: Map<JobId, number>
}

/** So much of the vendor's budget may be asked at once after a pause. */
const BANK_MS = 200
/** So that those who began together do not come back together, time after time. */
const SPREAD = 0.15
/** A job that has not asked for so long after its moment has ended, or asks no more. */
const FORGOTTEN_AFTER_MS = MINUTE

/**
 * When a job asks again that would alone ask after `afterMs`. Where more is asked than the vendor allows,
 * all pauses grow by the same part, so quick work is still asked about soonest.
 */
export function nextQuestionAt(tx: Tx, provider: Provider, jobId: JobId, afterMs: number): number {
  if (provider.pollsPerMinute === undefined) return tx.now + afterMs
  const pace = paceOf(tx.db, provider.name)
  sweep(pace, tx.now)
  const rate = 1 / Math.max(afterMs, 1)
  const allowed = provider.pollsPerMinute / MINUTE
  const others = pace.wantedInAll - (pace.wanted.get(jobId)?.rate ?? 0)
  const stretch = Math.max(1, (others + rate) / allowed)
  const at = tx.now + Math.floor(afterMs * stretch * (1 + SPREAD * tx.random()))
  pace.wanted.set(jobId, { rate, until: at + FORGOTTEN_AFTER_MS })
  pace.wantedInAll = others + rate
  return at
}

/** Now, or the moment that is kept for this job because others ask now. */
export function turnToAsk(db: Db, provider: Provider, jobId: JobId, now: number): number {
  if (provider.pollsPerMinute === undefined) return now
  const pace = paceOf(db, provider.name)
  const given = pace.turns.get(jobId)
  if (given !== undefined) {
    if (given > now) return given
    pace.turns.delete(jobId)
    return now
  }
  const at = Math.max(pace.freeAt, now - BANK_MS)
  pace.freeAt = at + MINUTE / provider.pollsPerMinute
  if (at <= now) return now
  pace.turns.set(jobId, Math.ceil(at))
  return Math.ceil(at)
}

function sweep(pace: Pace, now: number): void {
  if (now - pace.sweptAt < SECOND) return
  pace.sweptAt = now
  // Summed anew, so that fractions do not add up to something.
  pace.wantedInAll = 0
  for (const [jobId, { rate, until }] of pace.wanted) {
    if (until < now) pace.wanted.delete(jobId)
    else pace.wantedInAll += rate
  }
  for (const [jobId, at] of pace.turns) {
    if (at + FORGOTTEN_AFTER_MS < now) pace.turns.delete(jobId)
  }
}

/** The job asks no more, so its part is the others'. */
export function asksNoMore(db: Db, provider: Provider, jobId: JobId): void {
  const pace = paceOf(db, provider.name)
  pace.wantedInAll -= pace.wanted.get(jobId)?.rate ?? 0
  pace.wanted.delete(jobId)
  pace.turns.delete(jobId)
}

const ofDb = new WeakMap<Db, Map<string, Pace>>()

function paceOf(db: Db, provider: string): Pace {
  const all = ofDb.get(db) ?? new Map<string, Pace>()
  ofDb.set(db, all)
  const known = all.get(provider)
  if (known) return known
  const made: Pace = { wanted: new Map(), wantedInAll: 0, sweptAt: 0, freeAt: 0, turns: new Map() }
  all.set(provider, made)
  return made
}

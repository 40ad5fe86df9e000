import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import { isFinal } from '@test/e2e/api'
import { problemsIn } from '@test/e2e/final-state'
import { until } from '@test/support/process'
import { MINUTE, SECOND } from '@/base/clock'
import { endOf, paced, quantile, submit } from './caller'
import { type LoadHub, type Offers, startLoadHub } from './hub'
import { type Maker, type Mood, startMaker } from './maker'
import { startPredictor } from './predictor'

export type Outage = Exclude<Mood, 'well'>

/** How long each part lasts. Between two parts of the outage a rest passes. */
export type Course = {
  healthyMs: number
  dead: { outage: Outage; ms: number }[]
  backMs: number
  /** The hub's clock is set forward to the end of a rest, instead of waiting for it. */
  isImpatient: boolean
}
export const wholeMinute = (outage: Outage): Course => ({
  healthyMs: 10 * SECOND,
  dead: [{ outage, ms: MINUTE }],
  backMs: 10 * SECOND,
  isImpatient: false,
})
/** Dead in every way, one after the other: the first makes it rest, the others are met by probes. */
export const SHORT: Course = {
  healthyMs: 2 * SECOND,
  dead: [
    { outage: 'overloaded', ms: 2 * SECOND },
    { outage: 'limited', ms: SECOND },
    { outage: 'refused', ms: SECOND },
  ],
  backMs: 1.5 * SECOND,
  isImpatient: true,
}

export type DeadVendorReport = {
  jobs: number
  /** Calls that the hub made to the dead vendor, and those beyond the first ten. */
  calls: number
  callsAfterTen: number
  /** Those of them that came when nobody listened. */
  callsUnheard: number
  /** The most of those beyond the first ten within any minute. */
  mostInAMinute: number
  /** Jobs that the other vendor served in the outage. */
  servedElsewhere: number
  /** Milliseconds of the hub's time from the healing to the rest's end and to the first success. */
  restLeftMs: number
  backAfterMs: number
  /** The part of the jobs after that which the healed vendor served. */
  shareBack: number
  /** From submit to final of jobs that have nothing to do with it, milliseconds. */
  calmBefore: number
  calmMeanwhile: number
  problems: string[]
}

const PER_SECOND = 50
const CALM_PER_SECOND = 20
/** A picture of a fast vendor, milliseconds. */
const TAKES_MS = 50
const WORKS_MS = 300

const OFFERS: Offers = {
  'load-two-routes': [
    { provider: 'openai', providerModel: 'gpt-image-2' },
    { provider: 'replicate', providerModel: 'black-forest-labs/flux-schnell' },
  ],
  'load-calm': [{ provider: 'gemini', providerModel: 'gemini-2.5-flash-image' }],
}

const SPARED = 10
/** Fewer than 5 calls a minute after the first ten are promised. */
const MOST_IN_A_MINUTE = 4
/** At 50 jobs a second the next one is 20 ms away; the rest is a probe and a busy machine. */
const PROBE_MS = 2 * SECOND
/** The first of those who come back meet the probe, and go elsewhere once more. */
const SHARE_BACK = 0.8
/** How much slower others may be: as their noise, and not by a queue behind a dead vendor. */
const TOLERATED = { share: 1.5, ms: 20 }

/** A vendor of two fails every call under steady load, and heals; the jobs must hardly notice. */
export async function killVendor(course: Course): Promise<DeadVendorReport> {
  await using first = startMaker({ wire: 'openai', takes: TAKES_MS })
  // One that still works when the clock jumps would seem to be old, and be asked about seldom.
  await using second = startPredictor({ worksMs: () => (course.isImpatient ? 0 : WORKS_MS) })
  await using other = startMaker({ wire: 'gemini', takes: TAKES_MS })
  await using hub = await startLoadHub({ openai: first, replicate: second, gemini: other }, OFFERS)

  const calm: { at: number; ms: number }[] = []
  let isOver = false
  const load = Promise.all([
    paced(
      PER_SECOND,
      () => isOver,
      i => submit(hub, 'load-two-routes', `order ${i}`),
    ),
    paced(
      CALM_PER_SECOND,
      () => isOver,
      async i => {
        const at = performance.now()
        await endOf(hub, await submit(hub, 'load-calm', `calm ${i}`))
        calm.push({ at, ms: performance.now() - at })
      },
    ),
  ])
  const ran = run(hub, first, course).finally(() => {
    isOver = true
  })
  const [times] = await Promise.all([ran, load])

  await until('the end of every job', () => openJobs(hub.folder).length === 0).catch(error => {
    throw new Error(`${error.message}: ${JSON.stringify(openJobs(hub.folder).slice(0, 5))}`)
  })
  const code = await hub.stop()
  const report = reportOf(hub.folder, times, calm)
  report.problems.push(...problemsIn(hub.folder))
  if (code !== 0) report.problems.push(`the stop ended with ${code}`)
  const reached = first.orders.filter(({ isServed }) => !isServed).length
  if (reached !== report.calls - report.callsUnheard) {
    report.problems.push(`${reached} calls reached the vendor of ${report.calls}`)
  }
  return report
}

/** Moments by the hub's time, and by `performance.now()` where it says so. */
type Times = {
  parts: { outage: Outage; from: number; to: number }[]
  diedAt: number
  healedAt: number
  restEndsAt: number
  backAt: number
  steadyDiedAt: number
  steadyHealedAt: number
}

async function run(hub: LoadHub, vendor: Maker, course: Course): Promise<Times> {
  await Bun.sleep(course.healthyMs)
  const diedAt = hub.now()
  const steadyDiedAt = performance.now()
  const parts: Times['parts'] = []
  for (const { outage, ms } of course.dead) {
    const from = hub.now()
    await vendor.become(outage)
    if (parts.length > 0) await skipRest(hub)
    await Bun.sleep(ms)
    parts.push({ outage, from, to: hub.now() })
  }
  await vendor.become('well')
  const healedAt = hub.now()
  const steadyHealedAt = performance.now()
  const servedBefore = servedBy(vendor)
  const restEndsAt = restOf(hub.folder)
  if (course.isImpatient) await skipRest(hub)
  const patienceMs = Math.max(restEndsAt - hub.now(), 0) + 10 * SECOND
  await until('the healed vendor serves', () => servedBy(vendor) > servedBefore, patienceMs)
  const backAt = hub.now()
  await Bun.sleep(course.backMs)
  return { parts, diedAt, healedAt, restEndsAt, backAt, steadyDiedAt, steadyHealedAt }
}

const servedBy = ({ orders }: Maker) => orders.filter(({ isServed }) => isServed).length

async function skipRest(hub: LoadHub): Promise<void> {
  await hub.skip(Math.max(restOf(hub.folder) - hub.now(), 0))
}

/** When the rest of the dead vendor's route ends; the beginning of time where it does not rest. */
function restOf(folder: string): number {
  const [row] = rowsOf<{ until: number | null }>(
    folder,
    `SELECT max(resting_until) AS until FROM route_metrics`,
  )
  return row?.until ?? 0
}

/** Each with what became of its last attempt. */
function openJobs(folder: string): { job: string; attempt: string | null }[] {
  return rowsOf(
    folder,
    `SELECT j.status AS job, (SELECT provider || ' ' || state || coalesce(': ' || error_message, '')
       FROM attempts WHERE job_id = j.id ORDER BY number DESC LIMIT 1) AS attempt
     FROM jobs j WHERE j.completed_at IS NULL`,
  )
}

type AttemptRow = { provider: string; state: string; startedAt: number }

function reportOf(
  folder: string,
  times: Times,
  calm: { at: number; ms: number }[],
): DeadVendorReport {
  const jobs = rowsOf<{ status: 'succeeded' }>(folder, 'SELECT status FROM jobs')
  const attempts = rowsOf<AttemptRow>(
    folder,
    'SELECT provider, state, started_at AS startedAt FROM attempts ORDER BY id',
  )
  const { parts, diedAt, healedAt, restEndsAt, backAt, steadyDiedAt, steadyHealedAt } = times
  const inOutage = attempts.filter(({ startedAt }) => startedAt >= diedAt && startedAt < backAt)
  // One that began in the last good moment may have succeeded after it.
  const calls = attempts
    .filter(({ provider, state }) => provider === 'openai' && state !== 'succeeded')
    .map(({ startedAt }) => startedAt)
  const unheard = parts.filter(({ outage }) => outage === 'refused')
  const later = calls.slice(SPARED)
  const afterBack = attempts.filter(
    ({ provider, startedAt }) => provider !== 'gemini' && startedAt > backAt,
  )
  const served = afterBack.filter(
    ({ provider, state }) => provider === 'openai' && state === 'succeeded',
  )
  const calmIn = (from: number, to: number) =>
    calm.filter(({ at }) => at >= from && at < to).map(({ ms }) => ms)
  const report: DeadVendorReport = {
    jobs: jobs.length,
    calls: calls.length,
    callsAfterTen: later.length,
    callsUnheard: calls.filter(at => unheard.some(({ from, to }) => at >= from && at < to)).length,
    mostInAMinute: Math.max(
      0,
      ...later.map(from => later.filter(at => at >= from && at < from + MINUTE).length),
    ),
    servedElsewhere: inOutage.filter(
      ({ provider, state }) => provider === 'replicate' && state === 'succeeded',
    ).length,
    restLeftMs: Math.max(restEndsAt - healedAt, 0),
    backAfterMs: backAt - healedAt,
    shareBack: served.length / afterBack.length,
    calmBefore: quantile(calmIn(0, steadyDiedAt), 0.95),
    calmMeanwhile: quantile(calmIn(steadyDiedAt, steadyHealedAt), 0.95),
    problems: [],
  }
  const isEnded = jobs.every(job => isFinal(job as never) && job.status === 'succeeded')
  return { ...report, problems: problemsOf(report, isEnded) }
}

function problemsOf(report: DeadVendorReport, areAllServed: boolean): string[] {
  const { calls, mostInAMinute, servedElsewhere, restLeftMs, backAfterMs, shareBack } = report
  const problems: string[] = []
  if (!areAllServed) problems.push('a job did not succeed')
  if (calls === 0) problems.push('the dead vendor was never asked')
  if (mostInAMinute > MOST_IN_A_MINUTE) {
    problems.push(`${mostInAMinute} calls in a minute after the first ${SPARED}`)
  }
  if (servedElsewhere === 0) problems.push('nobody else served in the outage')
  if (restLeftMs === 0) problems.push('the dead vendor did not rest when it healed')
  if (backAfterMs > restLeftMs + PROBE_MS) problems.push(`back only after ${backAfterMs} ms`)
  if (!(shareBack > SHARE_BACK)) problems.push(`only ${shareBack} of the traffic came back`)
  return problems
}

/** Were the others as fast as before? Apart from the rest: on a busy machine only a repetition can say. */
export function isCalm({ calmBefore, calmMeanwhile }: DeadVendorReport): boolean {
  return calmMeanwhile < Math.max(calmBefore * TOLERATED.share, calmBefore + TOLERATED.ms)
}

function rowsOf<T>(folder: string, sql: string): T[] {
  const sqlite = new Database(join(folder, 'hub.db'), { readonly: true, strict: true })
  try {
    return sqlite.query(sql).all() as T[]
  } finally {
    sqlite.close()
  }
}

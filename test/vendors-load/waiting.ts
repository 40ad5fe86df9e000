import { until, within } from '@test/support/process'
import { MINUTE, SECOND } from '@/base/clock'
import { cpuMs, residentMb } from '../../bench/servers'
import { paced, quantile, submit } from './caller'
import { type LoadHub, type Offers, startLoadHub } from './hub'
import { type Maker, startMaker } from './maker'
import { type Poll, type Predictor, startPredictor } from './predictor'

export type Size = {
  jobs: number
  /** How long all of them are watched while they wait, milliseconds. */
  watchMs: number
  /** New jobs of another model in that time. */
  newPerSecond: number
}
export const WHOLE: Size = { jobs: 2_000, watchMs: MINUTE, newPerSecond: 10 }
export const SHORT: Size = { jobs: 300, watchMs: 4 * SECOND, newPerSecond: 25 }

/** What the hub was like while the jobs waited. */
export type Wait = {
  jobs: number
  /** Until all were taken on, milliseconds. */
  submittedMs: number
  residentMb: { before: number; after: number }
  /** From the submit of a new job to the call at its vendor, milliseconds. */
  claim: { count: number; p50: number; p99: number }
  /** Parts of one processor, 0 to 1: while they only wait, and beside the new jobs. */
  cpu: { idle: number; beside: number }
  problems: string[]
}

/** At least 60 s more than anybody watches. */
const NEVER_READY_MS = 10 * MINUTE
const CALLERS = 16
/** Only a bound on how long a proof that failed goes on. */
const LIVENESS_MS = 10 * SECOND
/** What counts as flat: megabytes, or a part of what it was. */
const FLAT = { mb: 20, share: 0.1 }

const NEW: Offers = {
  'load-new': [{ provider: 'gemini', providerModel: 'gemini-2.5-flash-image' }],
}
const WAITING = 'load-waiting'

export type Polls = {
  count: number
  perSecond: number
  /** The most in any minute since the first job, or in all the time where that was shorter. */
  mostInAMinute: number
  /** In 100 ms. */
  bucket: { mean: number; most: number }
  /** The shortest pause of one prediction as a part of what its age asks for. */
  shortestPause: number
}

/** What the vendor lets an account ask in a minute, beside its starts. */
const POLLS_A_MINUTE = 3_000
/** Beyond so many times the mean, and some, many came at once. */
const BURST = { times: 4, more: 10 }
const BUCKET_MS = 100

/** Many jobs at a vendor that works for minutes and is asked now and then. */
export async function waitForSlowVendor(size: Size): Promise<Wait & { polls: Polls }> {
  await using slow = startPredictor({ worksMs: () => NEVER_READY_MS })
  await using quick = startMaker({ wire: 'gemini', takes: 0 })
  await using hub = await startLoadHub(
    { openai: quick, replicate: slow, gemini: quick },
    {
      ...NEW,
      [WAITING]: [{ provider: 'replicate', providerModel: 'black-forest-labs/flux-schnell' }],
    },
  )
  const startedAt = performance.now()
  await submitAll(hub, size)
  await until('every job is at its vendor', () => slow.created.size === size.jobs)
  const submittedMs = performance.now() - startedAt
  const from = performance.now()
  const wait = await watch(hub, quick, size)
  const polls = pollsOf(slow, startedAt, from)
  await stop(hub, wait)
  return { ...wait, submittedMs, polls, problems: [...wait.problems, ...pollProblems(polls)] }
}

/** Many jobs before a vendor that answers with the picture, and lets so many in at once. */
export async function waitInLine(
  size: Size,
  maxConcurrent: number,
): Promise<Wait & { atOnce: number; nextAfterMs: number }> {
  const ready = Promise.withResolvers<void>()
  await using slow = startMaker({ wire: 'openai', takes: ready.promise })
  await using quick = startMaker({ wire: 'gemini', takes: 0 })
  await using unused = startPredictor({ worksMs: () => 0 })
  await using hub = await startLoadHub(
    { openai: slow, replicate: unused, gemini: quick },
    { ...NEW, [WAITING]: [{ provider: 'openai', providerModel: 'gpt-image-2', maxConcurrent }] },
  )
  const startedAt = performance.now()
  await submitAll(hub, size)
  await until('the vendor is full', () => slow.orders.length >= maxConcurrent)
  const submittedMs = performance.now() - startedAt
  const wait = await watch(hub, quick, size)
  const atOnce = slow.orders.length
  const problems = [...wait.problems]
  if (atOnce !== maxConcurrent) problems.push(`${atOnce} of ${maxConcurrent} places were taken`)

  const readyAt = performance.now()
  ready.resolve()
  await until('the next in line', () => slow.orders.length > maxConcurrent)
  const nextAfterMs = (slow.orders[maxConcurrent]?.at ?? Number.NaN) - readyAt
  if (!(nextAfterMs < SECOND)) problems.push(`a free place was empty for ${nextAfterMs} ms`)
  await hub.kill()
  return { ...wait, submittedMs, atOnce, nextAfterMs, problems }
}

async function submitAll(hub: LoadHub, { jobs }: Size): Promise<void> {
  let next = 0
  const caller = async () => {
    while (next < jobs) await submit(hub, WAITING, `slow ${next++}`)
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
}

/** Looks at the hub for a while, and lets new jobs through beside those that wait. */
async function watch(
  hub: LoadHub,
  quick: Maker,
  { jobs, watchMs, newPerSecond }: Size,
): Promise<Wait> {
  const claims: number[] = []
  const claim = async (name: string) => {
    const arrival = quick.arrival(name)
    const at = performance.now()
    await submit(hub, 'load-new', name)
    claims.push((await within(LIVENESS_MS, 'the begin of a new job', arrival)) - at)
  }
  // What all the submits left behind is not what waiting costs.
  for (let i = 0; i < WARM_UPS; i++) await claim(`warm ${i}`)
  claims.length = 0

  const idle = await cpuOf(hub, () => Bun.sleep(watchMs / IDLE_PART))
  const before = residentMb(hub.pid)
  const startedAt = performance.now()
  const isOver = () => performance.now() - startedAt >= watchMs
  const beside = await cpuOf(hub, () => paced(newPerSecond, isOver, index => claim(`new ${index}`)))
  const after = residentMb(hub.pid)

  const [p50, p99] = [quantile(claims, 0.5), quantile(claims, 0.99)]
  const problems: string[] = []
  if (after - before > Math.max(FLAT.mb, before * FLAT.share)) {
    problems.push(`memory went from ${before} to ${after} MB`)
  }
  return {
    jobs,
    submittedMs: 0,
    residentMb: { before, after },
    claim: { count: claims.length, p50, p99 },
    cpu: { idle, beside },
    problems,
  }
}

const WARM_UPS = 20

/** Did new jobs begin as if nobody waited? Apart from the rest: on a busy machine only a repetition can say. */
export function isPrompt({ claim }: Wait): boolean {
  return claim.p99 < CLAIM_P99_MS
}

const CLAIM_P99_MS = 50
/** So many times shorter than the rest is the time in which nothing new comes. */
const IDLE_PART = 4

async function cpuOf(hub: LoadHub, during: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  const before = cpuMs(hub.pid)
  await during()
  return (cpuMs(hub.pid) - before) / (performance.now() - startedAt)
}

function pollsOf({ polls, created }: Predictor, startedAt: number, from: number): Polls {
  const watched = polls.filter(({ at }) => at >= from)
  const seconds = (performance.now() - from) / SECOND
  const buckets = new Map<number, number>()
  for (const { at } of watched) {
    const bucket = Math.floor((at - from) / BUCKET_MS)
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1)
  }
  return {
    count: watched.length,
    perSecond: watched.length / seconds,
    mostInAMinute: mostWithin(
      MINUTE,
      polls.map(({ at }) => at - startedAt),
    ),
    bucket: {
      mean: (watched.length / seconds / SECOND) * BUCKET_MS,
      most: Math.max(0, ...buckets.values()),
    },
    shortestPause: shortestPause(polls, created),
  }
}

/** Of moments in order: the most of them in any span of so many milliseconds. */
function mostWithin(ms: number, times: number[]): number {
  let first = 0
  let most = 0
  for (const [index, at] of times.entries()) {
    while (at - (times[first] ?? at) >= ms) first++
    most = Math.max(most, index - first + 1)
  }
  return most
}

/** The adapter's own guidance: a quarter of its age, from 1 to 15 seconds. */
const GUIDANCE = { share: 1 / 4, soonestMs: SECOND, latestMs: 15 * SECOND }

function shortestPause(polls: Poll[], created: Map<string, number>): number {
  const last = new Map(created)
  let shortest = Number.POSITIVE_INFINITY
  for (const { id, at } of polls) {
    const before = last.get(id) ?? at
    const age = before - (created.get(id) ?? at)
    const { share, soonestMs, latestMs } = GUIDANCE
    const wanted = Math.min(Math.max(age * share, soonestMs), latestMs)
    shortest = Math.min(shortest, (at - before) / wanted)
    last.set(id, at)
  }
  return shortest
}

function pollProblems(polls: Polls): string[] {
  const { mostInAMinute, perSecond, bucket, shortestPause, count } = polls
  const problems: string[] = []
  if (count === 0) problems.push('nobody was polled')
  // The short form is over before a minute is.
  if (perSecond > POLLS_A_MINUTE / 60) problems.push(`${perSecond} polls a second`)
  if (mostInAMinute > POLLS_A_MINUTE) problems.push(`${mostInAMinute} polls in a minute`)
  if (bucket.most > bucket.mean * BURST.times + BURST.more) {
    problems.push(`${bucket.most} polls in ${BUCKET_MS} ms, ${bucket.mean} are usual`)
  }
  // A vendor sees the pause without the milliseconds that the answer before was on its way.
  if (shortestPause < 0.95) problems.push(`polled after ${shortestPause} of the pause`)
  return problems
}

async function stop(hub: LoadHub, { problems }: Wait): Promise<void> {
  const at = performance.now()
  const code = await hub.stop()
  const ms = performance.now() - at
  if (code !== 0 || ms > STOP_MS) problems.push(`stopped with ${code} after ${ms} ms`)
}

/** Jobs that sleep at a vendor hold nothing up. */
const STOP_MS = 5 * SECOND

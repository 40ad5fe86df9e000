import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import { type SeededRandom, seededRandom } from '@test/queue/seeded-random'
import { type RunningHub, startHub, until } from '@test/support/process'
import { temporaryFolder } from '@test/support/test-db'
import { type Receiver, startReceiver } from '@test/support/webhook-receiver'
import { type Api, apiOf, finalJobs, isFinal, type MadeApp, makeApp, sandboxed } from './api'
import { AFTER_DEADLINE_MS, startCrashHub } from './crash-hub'
import { countIn, problemsIn } from './final-state'
import { table } from './table'
import type { Vendor } from './vendor'

export type RandomCrashes = {
  /** What each death met: how many jobs were in which state, and how many tasks were claimed. */
  deaths: { afterMs: number; met: Record<string, number> }[]
  jobs: Record<string, number>
  /** Calls that were cut off and sent again with the same key. */
  repeated: number
  problems: string[]
}

/** What is killed, and what is ordered of it. */
export type Victim = {
  start(options: { folder: string; allowed: string; isLast: boolean }): Promise<RunningHub>
  keyOf(app: MadeApp): string
  inputs: Record<string, unknown>[]
  /** What only it can say in the end. */
  problems?(): string[]
}

/** Between these a process lives under load before it is killed. */
const LEAST_LIFE_MS = 80
const MOST_LIFE_MS = 600
const USERS = ['anna', 'ben', 'carla']
const LIVENESS_MS = 90_000

/**
 * Kills the command under test at random moments while clients order, cancel and look, and sends again, with
 * the same key, whatever was cut off. The sandbox does the work: at once, slowly, after polls, in several
 * parts, and not at all.
 */
export async function crashAtRandom(options: {
  rounds: number
  clients: number
  seed: number
  victim?: Victim
}): Promise<RandomCrashes> {
  const { victim = SANDBOX } = options
  const random = seededRandom(options.seed)
  await using receiver = startReceiver()
  const folder = temporaryFolder()
  const app = await makeApp(folder)
  const key = victim.keyOf(app)
  const report: RandomCrashes = { deaths: [], jobs: {}, repeated: 0, problems: [] }
  const { problems } = report
  const book: Book = { victim, webhookUrl: receiver.url, orders: [], unanswered: [], problems }

  for (let round = 0; round < options.rounds; round++) {
    await using hub = await victim.start({ folder, allowed: receiver.host, isLast: false })
    const load = underLoad(apiOf(hub.url, key), book, random, options.clients)
    const afterMs = LEAST_LIFE_MS + random.below(MOST_LIFE_MS - LEAST_LIFE_MS)
    await Bun.sleep(afterMs)
    await hub.kill()
    await load
    report.repeated += book.unanswered.length
    report.deaths.push({ afterMs, met: statesIn(folder) })
  }

  await using hub = await victim.start({ folder, allowed: receiver.host, isLast: true })
  const api = apiOf(hub.url, key)
  for (const order of book.unanswered.splice(0)) await send(api, book, order)
  await expectAllOver(hub, api, book, receiver, report)
  const code = await hub.stop()
  if (code !== 0) problems.push(`the last stop ended with ${code}`)
  problems.push(...problemsIn(folder), ...(victim.problems?.() ?? []))
  return report
}

type Order = {
  key: string
  user: string
  input: Record<string, unknown>
  jobId: string | null
}
type Book = {
  victim: Victim
  webhookUrl: string
  orders: Order[]
  unanswered: Order[]
  problems: string[]
}

/** Resolves when every client has met the end of the process. */
async function underLoad(
  api: Api,
  book: Book,
  random: SeededRandom,
  clients: number,
): Promise<void> {
  let isAlive = true
  const client = async () => {
    while (isAlive) {
      const order = book.unanswered.shift() ?? newOrder(book, random)
      isAlive = (await send(api, book, order)) && isAlive
      const known = random.pick(book.orders)
      if (!isAlive || known.jobId === null) continue
      const isCancel = random.below(10) === 0
      const path = `/api/v1/jobs/${known.jobId}${isCancel ? '/cancel' : ''}`
      const looked = api.call(isCancel ? 'POST' : 'GET', path, isCancel ? {} : undefined, {
        user: '',
      })
      const answer = await looked.catch(() => null)
      if (answer === null) isAlive = false
      else if (answer.status !== 200 && !(isCancel && answer.status === 409)) {
        book.problems.push(`${path} answered ${answer.status}`)
      }
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
}

function newOrder(book: Book, random: SeededRandom): Order {
  const order = {
    key: `key-${book.orders.length}`,
    user: random.pick(USERS),
    // A prompt of its own, so that whoever works on it can be asked how often.
    input: { ...random.pick(book.victim.inputs), prompt: `order ${book.orders.length}` },
    jobId: null,
  }
  book.orders.push(order)
  return order
}

const SANDBOX_INPUTS = [
  sandboxed({ mode: 'sync' }),
  sandboxed({ mode: 'sync', latency_ms: 150 }, 2),
  sandboxed({ mode: 'async', latency_ms: 60 }),
  sandboxed({ mode: 'async', latency_ms: 300 }, 4),
  sandboxed({ mode: 'async', latency_ms: 900 }),
  sandboxed({ mode: 'sync', outputs: 2 }, 3),
  sandboxed({ mode: 'sync', canned: false }),
  sandboxed({ mode: 'sync', fail: 'unavailable', fail_times: 1 }),
  sandboxed({ mode: 'async', fail: 'rejected' }),
]

/** The command under test as it is. */
const SANDBOX: Victim = {
  start: ({ folder, allowed }) =>
    startHub({ folder, env: { ALLOW_PRIVATE_DESTINATIONS: allowed } }),
  keyOf: app => app.test_api_key,
  inputs: SANDBOX_INPUTS,
}

/** With a vendor whose starts must never be repeated, and who cannot be asked what became of one. */
export function vendorVictim(vendor: Vendor): Victim {
  return {
    start: ({ folder, allowed, isLast }) =>
      startCrashHub({
        folder,
        vendor,
        canFind: false,
        laterMs: isLast ? AFTER_DEADLINE_MS : 0,
        allowed: [allowed],
      }),
    keyOf: app => app.api_key,
    inputs: ['sync', 'async'].flatMap(shape =>
      [1, 2, 4].map(outputs => ({ num_outputs: outputs, provider_params: { vendor: { shape } } })),
    ),
    problems: () =>
      [...vendor.starts]
        .filter(([, starts]) => starts.length > 1)
        .map(([prompt, starts]) => `${prompt} was started ${starts.length} times`),
  }
}

/** False when the connection broke: nobody knows then, and the same call must be sent again. */
async function send(api: Api, book: Book, order: Order): Promise<boolean> {
  const body = {
    input: order.input,
    idempotency_key: order.key,
    webhook_url: book.webhookUrl,
  }
  const answer = await api.generate(body, { user: order.user }).catch(() => null)
  if (answer === null) {
    book.unanswered.push(order)
    return false
  }
  const { status, body: job } = answer
  if (status !== 202) book.problems.push(`${order.key} answered ${status} ${job.code}`)
  else if (order.jobId !== null && order.jobId !== job.job_id) {
    book.problems.push(`${order.key} got ${order.jobId}, then ${job.job_id}`)
  } else order.jobId = job.job_id
  return true
}

async function expectAllOver(
  hub: RunningHub,
  api: Api,
  book: Book,
  receiver: Receiver,
  report: RandomCrashes,
): Promise<void> {
  const jobs = await finalJobs(api, LIVENESS_MS)
  const open = `SELECT count(*) FROM tasks WHERE kind LIKE 'job.%' OR kind LIKE 'webhook.%'`
  await until('the end of every task', () => countIn(hub.folder, open) === 0, LIVENESS_MS)

  const ids = new Set(jobs.map(job => job.job_id))
  const { problems } = report
  for (const { key, jobId } of book.orders) {
    if (jobId === null) problems.push(`${key} was never answered`)
    else if (!ids.has(jobId)) problems.push(`${key} was acknowledged and is lost`)
  }
  if (ids.size !== book.orders.length) {
    problems.push(`${ids.size} jobs for ${book.orders.length} keys`)
  }
  for (const job of jobs) {
    const state = job.status === 'failed' ? `failed: ${job.error_code}` : job.status
    report.jobs[state] = (report.jobs[state] ?? 0) + 1
    if (!isFinal(job)) problems.push(`${job.job_id} is ${job.status}`)
    const received = receiver.of(job.job_id)
    const events = new Set(received.map(one => one.headers['webhook-id']))
    const bodies = new Set(received.map(one => one.body))
    if (events.size !== 1 || bodies.size !== 1) {
      problems.push(`${job.job_id} had ${events.size} events in ${bodies.size} bodies`)
    }
  }
}

function statesIn(folder: string): Record<string, number> {
  const sqlite = new Database(join(folder, 'hub.db'), { readonly: true })
  try {
    const rows = sqlite
      .query(
        `SELECT status AS state, count(*) AS count FROM jobs WHERE completed_at IS NULL GROUP BY 1
         UNION ALL SELECT 'attempt ' || state, count(*) FROM attempts WHERE finished_at IS NULL GROUP BY 1
         UNION ALL SELECT 'claimed ' || kind, count(*) FROM tasks WHERE state = 'claimed' GROUP BY 1`,
      )
      .all() as { state: string; count: number }[]
    return Object.fromEntries(rows.map(row => [row.state, row.count]))
  } finally {
    sqlite.close()
  }
}

/** What each death met, and what became of it all. */
export function deathTable({ deaths, jobs, repeated }: RandomCrashes): string {
  const states = [...new Set(deaths.flatMap(({ met }) => Object.keys(met)))].sort()
  const rows = deaths.map(({ afterMs, met }) => [afterMs, ...states.map(state => met[state] ?? 0)])
  const ends = Object.entries(jobs).map(([state, count]) => `${count} ${state}`)
  return `${table(['killed after ms', ...states], rows)}\nin the end: ${ends.join(', ')}; ${repeated} calls were cut off and sent again`
}

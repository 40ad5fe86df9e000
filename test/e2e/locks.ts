import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import { type RunningHub, startHub } from '@test/support/process'
import { type Answer, type Api, apiOf, type Job, makeApp, sandboxed } from './api'
import { type Latencies, latenciesOf } from './latency'

export type LockReport = {
  control: { health: Latencies; job: Latencies }
  locked: { health: Latencies; job: Latencies }
  /** Orders that were under way at some time while the lock was held, by what they were answered. */
  answers: Record<string, number>
  problems: string[]
}

/** Each has one order under way all the time, so as many writes wait for the lock. */
const CALLERS = 32

/**
 * Reads, first with nothing else going on, which shows what this machine can do, then under a load of orders
 * while another process holds the write lock of the database for `lockMs`.
 */
export async function holdTheLock(lockMs: number): Promise<LockReport> {
  await using hub = await startHub()
  const { test_api_key: key } = await makeApp(hub.folder)
  const api = apiOf(hub.url, key)
  const known = await api.generate({ input: sandboxed({}) })
  const report: LockReport = {
    control: await reading(api, known.body.job_id, lockMs / 2),
    locked: { health: NOTHING, job: NOTHING },
    answers: {},
    problems: [],
  }

  const sqlite = await takeWriteLock(hub)
  const during: Answer<Job>[] = []
  let isHeld = true
  const orders = Array.from({ length: CALLERS }, async () => {
    while (isHeld) during.push(await api.generate({ input: sandboxed({}) }))
  })
  report.locked = await reading(api, known.body.job_id, lockMs)
  isHeld = false
  sqlite.run('COMMIT')
  sqlite.close()
  await Promise.all(orders)
  for (const { status, body, headers } of during) {
    const answer = status === 202 ? '202' : `${status} ${body.code}`
    report.answers[answer] = (report.answers[answer] ?? 0) + 1
    const isPolite =
      status === 503 && body.code === 'busy' && Number(headers.get('retry-after')) > 0
    if (status !== 202 && !isPolite) report.problems.push(`an order answered ${answer}`)
  }
  const after = await api.generate({ input: sandboxed({}) })
  if (after.status !== 202) report.problems.push(`after the lock an order answered ${after.status}`)
  const ids = new Set((await api.jobs()).map(job => job.job_id))
  const lost = during.filter(({ status, body }) => status === 202 && !ids.has(body.job_id))
  if (lost.length > 0) report.problems.push(`${lost.length} accepted orders are lost`)
  return report
}

const NOTHING: Latencies = { calls: 0, p50: 0, p99: 0, worst: 0 }

/** The test is the other process. A shell command would hold it for milliseconds; this one sleeps on it. */
async function takeWriteLock(hub: RunningHub): Promise<Database> {
  const sqlite = new Database(join(hub.folder, 'hub.db'))
  sqlite.run('PRAGMA busy_timeout = 5000')
  sqlite.run('BEGIN IMMEDIATE')
  return sqlite
}

async function reading(
  api: Api,
  jobId: string,
  forMs: number,
): Promise<{ health: Latencies; job: Latencies }> {
  const end = performance.now() + forMs
  const isOver = () => performance.now() >= end
  const [health, job] = await Promise.all([
    latenciesOf(() => api.call('GET', '/api/health'), isOver),
    latenciesOf(() => api.job(jobId), isOver),
  ])
  return { health, job }
}

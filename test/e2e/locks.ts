import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import { type RunningHub, startHub } from '@test/support/process'
import { type Answer, apiOf, type Job, makeApp, sandboxed } from './api'
import { type Latencies, latenciesOf, startBareServer } from './latency'

export type LockReport = {
  health: Latencies
  job: Latencies
  /** A process that does nothing, asked in the same moments. */
  control: Latencies
  /** Orders that were under way at some time while the lock was held, by what they were answered. */
  answers: Record<string, number>
  problems: string[]
}

/** Each has one order under way all the time, so as many writes wait for the lock. */
const CALLERS = 32

/** Reads under a load of orders while another process holds the write lock of the database for `lockMs`. */
export async function holdTheLock(lockMs: number): Promise<LockReport> {
  await using bare = await startBareServer()
  await using hub = await startHub()
  const { test_api_key: key } = await makeApp(hub.folder)
  const api = apiOf(hub.url, key)
  const known = await api.generate({ input: sandboxed({}) })

  const sqlite = await takeWriteLock(hub)
  const during: Answer<Job>[] = []
  let isHeld = true
  const orders = Array.from({ length: CALLERS }, async () => {
    while (isHeld) during.push(await api.generate({ input: sandboxed({}) }))
  })
  const end = performance.now() + lockMs
  const isOver = () => performance.now() >= end
  const [health, job, control] = await Promise.all([
    latenciesOf(() => api.call('GET', '/api/health'), isOver),
    latenciesOf(() => api.job(known.body.job_id), isOver),
    latenciesOf(() => apiOf(bare.url, key).call('GET', '/'), isOver),
  ])
  const report: LockReport = { health, job, control, answers: {}, problems: [] }
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

/** The test is the other process. A shell command would hold it for milliseconds; this one sleeps on it. */
async function takeWriteLock(hub: RunningHub): Promise<Database> {
  const sqlite = new Database(join(hub.folder, 'hub.db'))
  sqlite.run('PRAGMA busy_timeout = 5000')
  sqlite.run('BEGIN IMMEDIATE')
  return sqlite
}

import { expect, test } from 'bun:test'
import { startHub } from '@test/support/process'
import { temporaryFolder } from '@test/support/test-db'
import { apiOf, finalJobs, makeApp, sandboxed } from './api'
import { startCrashHub } from './crash-hub'
import { countIn, problemsIn } from './final-state'
import { CLEAN, callInTwoHalves, stopAmidWork, stopped } from './shutdown'
import { startVendor } from './vendor'

const TIMEOUT_MS = 60_000

test.concurrent(
  'SIGTERM: calls under way are answered, short jobs are finished, long ones go on after the next start',
  async () => {
    const folder = temporaryFolder()
    const { test_api_key: key } = await makeApp(folder)
    await using hub = await startHub({ folder })
    const api = apiOf(hub.url, key)
    const short = await api.generate({ input: sandboxed({ latency_ms: 500 }) })
    const long = await api.generate({ input: sandboxed({ mode: 'async', latency_ms: 1_500 }) })
    const calls = Array.from({ length: 50 }, () =>
      api.generate({ input: sandboxed({ mode: 'async', latency_ms: 1_000 }) }),
    )
    const half = await callInTwoHalves(hub, key)
    const end = stopped(hub)
    const answers = await Promise.all(calls)
    half.finish()

    expect(await end).toEqual(CLEAN)
    // Accepted or sent away, but never a connection that is simply gone.
    const sentAway = answers.filter(({ status }) => status === 503)
    const accepted = answers.filter(({ status }) => status === 202)
    expect(accepted.length + sentAway.length).toBe(calls.length)
    for (const { body } of sentAway) expect(body.code).toBe('shutting_down')
    expect(await half.answer).toMatch(/^HTTP\/1\.1 202 /)
    await expect(fetch(`${hub.url}/api/health`)).rejects.toThrow()
    expect(countIn(folder, `SELECT count(*) FROM jobs WHERE status = 'succeeded'`)).toBe(1)

    await using again = await startHub({ folder })
    const jobs = await finalJobs(apiOf(again.url, key))
    const statusOf = (id: string) => jobs.find(job => job.job_id === id)?.status
    const ids = [short, long, ...accepted].map(({ body }) => body.job_id)
    expect(ids.filter(id => statusOf(id) !== 'succeeded')).toEqual([])
    expect(await stopped(again)).toEqual(CLEAN)
    expect(problemsIn(folder)).toEqual([])
  },
  TIMEOUT_MS,
)

/** From source only, because the grace of the product is 15 s: `bun run test:long` waits for all of them. */
test.concurrent(
  'neither a job that takes too long nor a caller who never finishes keeps it from ending',
  async () => {
    await using vendor = startVendor()
    const start = (folder: string) =>
      startCrashHub({ folder, vendor, canFind: true, laterMs: 0, allowed: [], graceMs: 500 })
    expect(await stopAmidWork(start)).toEqual([])
  },
  TIMEOUT_MS,
)

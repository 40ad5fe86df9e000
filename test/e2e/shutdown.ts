import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type RunningHub, until } from '@test/support/process'
import { temporaryFolder } from '@test/support/test-db'
import { apiOf, type Job, MODEL, makeApp, sandboxed } from './api'
import { countIn } from './final-state'

/** What the product promises from SIGTERM to its end. */
const END_MS = 20_000

/** What a server leaves that was told to stop. */
export type Leaving = {
  code: number | null
  isInTime: boolean
  hasWal: boolean
  /** How often a task was found in the hands of a dead process: a stop is no death. */
  deaths: number
  claimed: number
}
export const CLEAN: Leaving = { code: 0, isInTime: true, hasWal: false, deaths: 0, claimed: 0 }

export async function stopped(hub: RunningHub): Promise<Leaving> {
  const startedAt = performance.now()
  const code = await hub.stop()
  const { folder } = hub
  const tasks = 'SELECT count(*) FROM tasks WHERE'
  return {
    code,
    isInTime: performance.now() - startedAt < END_MS,
    hasWal: existsSync(join(folder, 'hub.db-wal')),
    deaths: countIn(folder, `${tasks} deaths > 0`),
    claimed: countIn(folder, `${tasks} state = 'claimed'`),
  }
}

/** A call whose second half is held back. It is in the house: its head and half of its body have arrived. */
export async function callInTwoHalves(hub: RunningHub, key: string) {
  const body = JSON.stringify({ model: MODEL, input: sandboxed({}) })
  const port = Number(new URL(hub.url).port)
  const socket = connect(port, '127.0.0.1')
  const answer = Promise.withResolvers<string>()
  socket.on('data', data => answer.resolve(data.toString('latin1')))
  socket.on('error', () => {})
  socket.on('close', () => answer.resolve('the connection was closed'))
  const head = [
    'POST /api/v1/generate HTTP/1.1',
    `host: 127.0.0.1:${port}`,
    `x-api-key: ${key}`,
    'x-user-id: half',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  const text = `${head.join('\r\n')}\r\n\r\n${body.slice(0, 10)}`
  await new Promise<void>(resolve => socket.write(text, () => resolve()))
  // One more call, answered: what was written before it on this machine has been read by then.
  await fetch(`${hub.url}/api/health`)
  return { answer: answer.promise, finish: () => void socket.write(body.slice(10)) }
}

/**
 * Told to stop while a job would take another minute and a caller never finishes his call. The next server
 * has the job again and can drop it. Answers everything that was not so.
 */
export async function stopAmidWork(
  start: (folder: string) => Promise<RunningHub>,
): Promise<string[]> {
  const folder = temporaryFolder()
  const { test_api_key: key } = await makeApp(folder)
  const problems: string[] = []
  const hub = await start(folder)
  await using _ = hub
  const slow = await apiOf(hub.url, key).generate({ input: sandboxed({ latency_ms: 60_000 }) })
  const jobTasks = `SELECT count(*) FROM tasks WHERE kind = 'job.execute' AND state`
  await until('the job runs', () => countIn(folder, `${jobTasks} = 'claimed'`) === 1)
  await callInTwoHalves(hub, key)
  const left = await stopped(hub)
  if (!Bun.deepEquals(left, CLEAN)) problems.push(`it left ${JSON.stringify(left)}`)
  if (countIn(folder, `${jobTasks} <> 'claimed'`) !== 1) problems.push('the job was not given back')

  await using again = await start(folder)
  const api = apiOf(again.url, key)
  const { body } = await api.job(slow.body.job_id)
  if (!['queued', 'running'].includes(body.status)) problems.push(`the job is ${body.status}`)
  const cancelled = await api.call<Job>('POST', `/api/v1/jobs/${body.job_id}/cancel`, {})
  const user = (await api.user('somebody')).body
  if (cancelled.body.status !== 'cancelled' || user.tokens_reserved !== 0) {
    problems.push(`cancelled: ${cancelled.status}, ${JSON.stringify(user)}`)
  }
  return problems
}

import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import { type Api, apiOf, isFinal, type Job } from '@test/e2e/api'
import { blobsIn, countIn, problemsIn } from '@test/e2e/final-state'
import { startHub, until, within } from '@test/support/process'
import { type Receiver, startReceiver } from '@test/support/webhook-receiver'
import { SECOND } from '@/base/clock'
import { DEADLINE_SECONDS, GRANT, MICRO_USD, modelOf, type Prepared, TOKENS } from './folder'
import { type Gate, startGate } from './gate'
import { isOnlyTimeToTell, type Moment, type Place } from './moments'
import type { Offer, Shop } from './offers'
import type { KillServerMessage, KillServerOptions } from './server'

export type Cell = { offer: Offer; place: Place; moment: Moment }
/** One kill, and a sentence for everything that was not as it must be. */
export type Kill = { cell: Cell; starts: number; end: 'result' | 'refund'; problems: string[] }

/** Bounds on a loaded machine: nothing here waits for longer than a fraction of a second. */
const LIVENESS_MS = 30 * SECOND
/** Beyond the deadline of the route, and far before that of any kind of job. */
const AFTER_DEADLINE_MS = 1.5 * DEADLINE_SECONDS * SECOND

/** A hub dies while it serves one order, and the next one on its folder must bring that order to its end. */
export async function killOnce(prepared: Prepared, cell: Cell): Promise<Kill> {
  await using receiver = startReceiver()
  await using open = openShop(cell.offer)
  await using gate = startGate(cell.offer, open.shop)
  const { shop } = open
  const run: Run = { prepared, cell, folder: prepared.copy(), shop, gate, receiver }
  const problems: string[] = []
  try {
    for await (const problem of complaints(run)) problems.push(problem)
  } catch (error) {
    // What waited in vain is a problem of its cell, and the other cells go on.
    problems.push(error instanceof Error ? error.message : String(error))
  }
  const end = isOnlyTimeToTell(cell.offer, cell.moment) ? 'refund' : 'result'
  return { cell, starts: shop.starts(), end, problems }
}

async function* complaints(run: Run): AsyncGenerator<string> {
  const { prepared, cell, folder } = run
  const { offer, moment } = cell
  const acknowledged = yield* orderAndDie(run)
  const met = attemptsIn(folder).join()
  if (met !== (moment.met === 'none' ? '' : moment.met)) yield `died with the attempts <${met}>`
  if (run.shop.starts() !== moment.starts) yield `died after ${run.shop.starts()} starts`

  await using next = await startFor(run, isOnlyTimeToTell(offer, moment) ? AFTER_DEADLINE_MS : 0)
  const api = apiOf(next.url, prepared.apiKey)
  const job = await theOneJob(api)
  if (acknowledged !== null && acknowledged !== job.job_id) yield `${acknowledged} is lost`
  const isQuiet = () => countIn(folder, OPEN_TASKS) === 0
  await until('the end of every task', isQuiet, LIVENESS_MS)
  yield* aboutTheJob(run, api, job)
  yield* aboutItsOutputs(run, next.url, job)

  const code = await next.stop()
  if (code !== 0) yield `the stop ended with ${code}`
  yield* problemsIn(folder)
}

type Run = {
  prepared: Prepared
  cell: Cell
  folder: string
  shop: Shop
  gate: Gate
  receiver: Receiver
}

function openShop(offer: Offer): AsyncDisposable & { shop: Shop } {
  const shop = offer.open()
  return { shop, [Symbol.asyncDispose]: () => shop.close() }
}

/** The id of the job, or null when the process died before it had said it. */
async function* orderAndDie(run: Run): AsyncGenerator<string, string | null> {
  const { offer, moment } = run.cell
  await using hub = await startFor(run, 0)
  const { by } = moment
  if ('step' in by) await hub.dieAt(by.step)
  // Of several outputs the last is kept back, and the others are ours by then.
  const nth = 'call' in by && by.call === 'output' ? offer.outputs : 1
  const held = 'call' in by ? run.gate.hold(by.call, by.how, nth) : null

  const sent = apiOf(hub.url, run.prepared.apiKey)
    .generate({
      model: modelOf(offer),
      input: { prompt: 'a lighthouse at dawn', num_outputs: offer.outputs },
      idempotency_key: 'the-order',
      webhook_url: run.receiver.url,
    })
    .catch(() => null)
  if (held) {
    await within(LIVENESS_MS, `the answer kept back: ${moment.name}`, held)
    const isStored = () => nth === 1 || blobsIn(run.folder).size === nth - 1
    await until('the other outputs are stored', isStored, LIVENESS_MS)
    hub.signal('SIGKILL')
  }
  const end = await within(LIVENESS_MS, `death: ${moment.name}`, hub.ended)
  if (end.signal !== 'SIGKILL') yield `ended by itself: ${JSON.stringify(end)} ${hub.stderr()}`
  if ('step' in by && !hub.stderr().includes(`died at <${by.step}>`)) yield 'died elsewhere'
  const answer = await sent
  if (answer !== null && answer.status !== 202) {
    yield `generate answered ${answer.status}: ${JSON.stringify(answer.body)}`
  }
  return answer?.body.job_id ?? null
}

async function startFor({ cell, folder, shop, gate, receiver }: Run, laterMs: number) {
  const { provider, variable, canBeFound } = cell.offer
  const { baseUrl, filesUrl } = gate
  const given: KillServerOptions = { provider, baseUrl, filesUrl, laterMs }
  const armed = Promise.withResolvers<void>()
  const hub = await startHub({
    folder,
    command: [process.execPath, join(import.meta.dir, 'server.ts')],
    env: {
      KILL_SERVER: JSON.stringify(given),
      [variable]: shop.key,
      ALLOW_PRIVATE_DESTINATIONS: [gate.host, receiver.host].join(),
      ...(canBeFound ? { PUBLIC_URL } : {}),
    },
    onMessage: () => armed.resolve(),
  })
  return {
    ...hub,
    async dieAt(step: KillServerMessage['dieAt']) {
      hub.send({ dieAt: step } satisfies KillServerMessage)
      await within(LIVENESS_MS, 'the hub is armed', armed.promise)
    },
  }
}

/** Nobody calls it here: that a vendor is told an address of ours is what makes a start findable. */
const PUBLIC_URL = 'https://hub.example.com'
const OPEN_TASKS = `SELECT count(*) FROM tasks WHERE kind LIKE 'job.%' OR kind LIKE 'webhook.%'`

/** The job that was ordered, when it has ended. */
async function theOneJob(api: Api): Promise<Job> {
  const jobs = await api.jobs()
  const [only] = jobs
  if (!only || jobs.length > 1) throw new Error(`${jobs.length} jobs for one order`)
  const ended = async () => {
    const { status, body } = await api.job(only.job_id)
    if (status !== 200) throw new Error(`the job answered ${status}`)
    return isFinal(body) && body
  }
  return await until('the end of the job', ended, LIVENESS_MS)
}

async function* aboutTheJob(
  { cell: { offer, moment }, folder, shop, gate, receiver }: Run,
  api: Api,
  job: Job,
): AsyncGenerator<string> {
  const isRefund = isOnlyTimeToTell(offer, moment)
  const starts = isRefund ? moment.starts : 1
  if (shop.starts() !== starts) yield `the vendor counts ${shop.starts()} starts and not ${starts}`
  if (gate.calls.start !== starts) yield `${gate.calls.start} starts passed and not ${starts}`

  const end = `${job.status} ${job.error_code}`
  if (end !== (isRefund ? 'failed timeout' : 'succeeded null')) yield `the job ended as ${end}`
  const attempts = attemptsIn(folder).join()
  if (attempts !== (isRefund ? 'unknown' : 'succeeded')) yield `the attempts ended <${attempts}>`
  const told = receiver.of(job.job_id).map(({ event }) => `${event.id} ${event.status}`)
  if (new Set(told).size !== 1 || !told[0]?.endsWith(` ${job.status}`)) yield `told <${told}>`

  // Nobody knows what a lost start cost, so it counts as its whole price.
  const spent = countIn(folder, 'SELECT cost_micro_usd FROM jobs')
  const isBooked = isRefund ? spent === MICRO_USD * offer.outputs : spent > 0
  if (!isBooked) yield `${spent} micro-USD are booked`

  const { tokens_charged: charged, tokens_refunded: refunded } = job
  if (charged !== TOKENS * offer.outputs) yield `${charged} tokens were charged`
  if (refunded !== (isRefund ? charged : 0)) yield `${refunded} of ${charged} tokens came back`
  const { token_balance: left, tokens_reserved: reserved } = (await api.user('somebody')).body
  if (left !== GRANT - charged + refunded || reserved !== 0) yield `left ${left}, held ${reserved}`
}

async function* aboutItsOutputs(
  { cell: { offer, moment } }: Run,
  url: string,
  { outputs }: Job,
): AsyncGenerator<string> {
  const expected = isOnlyTimeToTell(offer, moment) ? 0 : offer.outputs
  if (outputs.length !== expected) yield `${outputs.length} outputs and not ${expected}`
  for (const output of outputs) {
    const { pathname, search } = new URL(output.url)
    const { status } = await fetch(`${url}${pathname}${search}`)
    if (status !== 200) yield `an output answered ${status}`
  }
}

/** The states of all attempts, oldest first, as the files have them. */
function attemptsIn(folder: string): string[] {
  const sqlite = new Database(join(folder, 'hub.db'), { readonly: true, strict: true })
  try {
    const rows = sqlite.query('SELECT state FROM attempts ORDER BY id').all() as { state: string }[]
    return rows.map(({ state }) => state)
  } finally {
    sqlite.close()
  }
}

import { isHubStep, STEPS, type Step } from '@test/support/crash-points'
import { until, within } from '@test/support/process'
import { temporaryFolder } from '@test/support/test-db'
import { type Receiver, startReceiver } from '@test/support/webhook-receiver'
import { type Api, apiOf, finalJobs, makeApp } from './api'
import { AFTER_DEADLINE_MS, type CrashHub, startCrashHub } from './crash-hub'
import { blobsIn, countIn, problemsIn } from './final-state'
import { table } from './table'
import { startVendor, type Vendor } from './vendor'

/** A kind of job, and a client with its habits. */
export type Scenario = {
  name: string
  shape: 'sync' | 'async'
  outputs: number
  /** Whether the vendor can be asked what became of a start whose answer was lost. */
  canFind: boolean
  /** Whether the client repeats its call, with the same key, until it has an answer. */
  repeats: boolean
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'repeated key', shape: 'async', outputs: 1, canFind: true, repeats: true },
  { name: 'sync', shape: 'sync', outputs: 1, canFind: true, repeats: false },
  { name: 'async, no look-up', shape: 'async', outputs: 1, canFind: false, repeats: false },
  { name: 'three outputs', shape: 'sync', outputs: 3, canFind: true, repeats: false },
]

/** Kills by step and scenario, and a sentence for everything that was not as it must be. */
export type CrashReport = { kills: Map<string, number>; problems: string[] }
export const cell = (scenario: Scenario, step: Step) => `${step} / ${scenario.name}`

const LIVENESS_MS = 30_000

/**
 * One hub after the other on one folder: each is killed at the next step while it makes a job, and the
 * following one must bring that job to its end. `beside` more jobs are under way at every kill.
 */
export async function crashAtEveryStep(
  scenario: Scenario,
  { kills = 1, beside = 0 }: { kills?: number; beside?: number },
): Promise<CrashReport> {
  await using vendor = startVendor()
  await using receiver = startReceiver()
  const folder = temporaryFolder()
  const app = await makeApp(folder)
  const report: CrashReport = { kills: new Map(), problems: [] }
  const run: Run = { scenario, vendor, receiver, folder, key: app.api_key, laterMs: 0, number: 0 }

  let hub = await startFor(run)
  try {
    for (const step of STEPS) {
      for (let kill = 0; kill < kills; kill++) {
        const label = cell(scenario, step)
        hub = await dieAndRecover(run, hub, step, beside, problem =>
          report.problems.push(`${label}: ${problem}`),
        )
        report.kills.set(label, (report.kills.get(label) ?? 0) + 1)
      }
    }
    const code = await hub.stop()
    if (code !== 0) report.problems.push(`the last stop ended with ${code}`)
  } finally {
    await hub[Symbol.asyncDispose]()
  }
  return report
}

type Run = {
  scenario: Scenario
  vendor: Vendor
  receiver: Receiver
  folder: string
  key: string
  /** How far the clock has been moved. It never goes back. */
  laterMs: number
  number: number
}

const startFor = (run: Run): Promise<CrashHub> =>
  startCrashHub({
    folder: run.folder,
    vendor: run.vendor,
    canFind: run.scenario.canFind,
    laterMs: run.laterMs,
    allowed: [run.receiver.host],
  })

async function dieAndRecover(
  run: Run,
  hub: CrashHub,
  step: Step,
  beside: number,
  complain: (problem: string) => void,
): Promise<CrashHub> {
  const { scenario, folder } = run
  await arm(run, hub, step)
  const before = countIn(folder, 'SELECT count(*) FROM jobs')
  const orders = Array.from({ length: 1 + beside }, () => orderOf(run))
  const sent = orders.map(order => submit(run, apiOf(hub.url, run.key), order))
  const end = await within(LIVENESS_MS, `death at <${step}>`, hub.ended)
  if (end.signal !== 'SIGKILL') complain(`ended by itself: ${JSON.stringify(end)} ${hub.stderr()}`)
  if (isHubStep(step) && !hub.stderr().includes(`died at <${step}>`)) complain('died elsewhere')
  const acknowledged = await Promise.all(sent)
  disarm(run)

  // Those beside it died anywhere, and for some of them only their deadline can tell.
  if (beside > 0 || isOnlyTimeToTell(scenario, step)) run.laterMs += AFTER_DEADLINE_MS
  const next = await startFor(run)
  const api = apiOf(next.url, run.key)
  if (scenario.repeats) {
    for (const [index, order] of orders.entries()) {
      const first = acknowledged[index] ?? null
      const again = await submit(run, api, order)
      if (again === null) complain('a repeated call was not answered')
      if (first !== null && again !== first) complain(`${order.key} got ${first}, then ${again}`)
      acknowledged[index] = again
    }
  }
  for await (const problem of complaints(run, { step, api, orders, acknowledged, before })) {
    complain(problem)
  }
  return next
}

async function arm(run: Run, hub: CrashHub, step: Step): Promise<void> {
  const kill = () => hub.signal('SIGKILL')
  if (isHubStep(step)) {
    await hub.dieAt(step)
  } else if (step === 'vendor: has the request, has not answered') {
    run.vendor.onStart = kill
  } else if (step === 'copy: one output half-way, the others stored') {
    const stored = blobsIn(run.folder).size + run.scenario.outputs - 1
    run.vendor.onHalfOutput = () =>
      void until('the other outputs', () => blobsIn(run.folder).size >= stored).then(kill)
  } else {
    let isFirst = true
    run.receiver.answer = () => {
      if (!isFirst) return new Response('thank you')
      isFirst = false
      kill()
      return new Promise(() => {})
    }
  }
}

function disarm({ vendor, receiver }: Run): void {
  vendor.onStart = null
  vendor.onHalfOutput = null
  receiver.answer = () => new Response('thank you')
}

type Order = { prompt: string; key: string }

function orderOf(run: Run): Order {
  const number = ++run.number
  return { prompt: `${run.scenario.name} ${number}`, key: `key ${number}` }
}

/** The id of the job, or null when the connection broke before there was an answer. */
async function submit(run: Run, api: Api, { prompt, key }: Order): Promise<string | null> {
  const { shape, outputs } = run.scenario
  const input = { prompt, num_outputs: outputs, provider_params: { vendor: { shape } } }
  const body = { input, idempotency_key: key, webhook_url: run.receiver.url }
  const answer = await api.generate(body).catch(() => null)
  if (answer !== null && answer.status !== 202) {
    throw new Error(`generate answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  }
  return answer?.body.job_id ?? null
}

/** What must be there after it all, as the API, the vendor, the receiver and the files have it. */
async function* complaints(
  run: Run,
  round: { step: Step; api: Api; orders: Order[]; acknowledged: (string | null)[]; before: number },
): AsyncGenerator<string> {
  const { step, api, orders, acknowledged, before } = round
  const { scenario, vendor, receiver, folder } = run
  const jobs = await finalJobs(api, LIVENESS_MS)
  const isQuiet = () => countIn(folder, OPEN_TASKS) === 0
  await until('the end of every task', isQuiet, LIVENESS_MS)

  const ids = new Set(jobs.map(job => job.job_id))
  for (const id of acknowledged) if (id !== null && !ids.has(id)) yield `${id} is lost`
  const made = jobs.length - before
  const isKept = scenario.repeats || !ROLLED_BACK.has(step)
  if (orders.length === 1 && made !== Number(isKept)) yield `${made} jobs were made`
  if (scenario.repeats && made !== orders.length) yield `${made} jobs for ${orders.length} keys`
  const [newest] = jobs
  const expected = isOnlyTimeToTell(scenario, step) ? 'failed' : 'succeeded'
  if (orders.length === 1 && isKept && newest?.status !== expected) {
    yield `the job ${newest?.status} (${newest?.error_code}) and not ${expected}`
  }
  for (const { prompt } of orders) {
    const starts = vendor.starts.get(prompt)?.length ?? 0
    if (starts > 1) yield `the vendor was started ${starts} times`
    if (orders.length === 1 && newest?.status === 'succeeded' && starts !== 1) yield 'no start'
  }
  for (const { job_id } of jobs) yield* webhookComplaints(receiver, job_id)
  const isTwice = newest && receiver.of(newest.job_id).length > 1
  if (step === 'webhook: received, not noted' && orders.length === 1 && !isTwice) {
    yield 'the webhook was not sent again'
  }
  yield* problemsIn(folder)
}

const OPEN_TASKS = `SELECT count(*) FROM tasks WHERE kind LIKE 'job.%' OR kind LIKE 'webhook.%'`
const ROLLED_BACK: ReadonlySet<Step> = new Set(['submit: before BEGIN', 'submit: before COMMIT'])

function* webhookComplaints(receiver: Receiver, jobId: string): Generator<string> {
  const received = receiver.of(jobId)
  if (received.length === 0) yield `no webhook of ${jobId}`
  const ids = new Set(received.map(one => one.headers['webhook-id']))
  const bodies = new Set(received.map(one => one.body))
  if (ids.size > 1 || bodies.size > 1) yield `the webhooks of ${jobId} differ`
}

/** May the vendor have begun, and can nobody be asked? Then it fails at its deadline and is refunded. */
function isOnlyTimeToTell(scenario: Scenario, step: Step): boolean {
  // It never heard of us, so asking tells nothing: the request might still be on its way.
  if (step === 'claim: after COMMIT, before the vendor is called') return true
  return !scenario.canFind && ANSWER_LOST.has(step)
}

const ANSWER_LOST: ReadonlySet<Step> = new Set([
  'vendor: has the request, has not answered',
  'save: before BEGIN, with the answer of the vendor in hand',
  'save: before COMMIT',
])

/** How often each step was met, by kind of job. */
export function killTable(kills: ReadonlyMap<string, number>): string {
  const rows = STEPS.map(step => [
    step,
    ...SCENARIOS.map(scenario => kills.get(cell(scenario, step)) ?? 0),
  ])
  return table(['killed at', ...SCENARIOS.map(({ name }) => name)], rows)
}

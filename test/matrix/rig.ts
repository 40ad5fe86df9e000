import { type FakeProvider, fakeProvider } from '@test/support/fake-provider'
import {
  expectLedgerInOrder,
  type TestApp,
  type TestHub,
  testApp,
  testHub,
} from '@test/support/test-hub'
import { type Line, startLine, type Trouble } from '@test/support/toxic'
import type { JobId } from '@/base/ids'
import { createSafeFetch } from '@/base/safe-fetch'
import { write } from '@/db/write'
import * as jobs from '@/domain/jobs'
import { balanceOf } from '@/domain/ledger'
import { findByExternalId } from '@/domain/users'
import type { Bench, OpenVendor } from './bench'
import type { Cell, Column, Expected } from './columns'
import { startFileHost, withFileHosts } from './files'

/** What became of one cell. */
export type Outcome = {
  column: string
  label: string
  expected: Expected
  /** In the words of what was expected. */
  seen: Omit<Expected, 'fromMs' | 'toMs'> & { ms: number }
  /** What is not as it should be; none: the cell is good. */
  problems: string[]
}

type Place = {
  bench: Bench
  cell: Cell
  vendor: OpenVendor
  other: FakeProvider | null
  lines: { api: string; files: string }
  /** Whether the trouble on its lines, if there is any, has come. */
  isMet(): boolean
  close(): Promise<void>
}

const COST = 3
const START_TOKENS = 100
/** Nobody listens on it, and no test is ever given it. */
const DEAD_ORIGIN = 'http://127.0.0.1:1'
/** How much longer than a cell may take it is waited for, to see when it does end. */
const PATIENCE_MS = 5_000

/** One fault, ready to be met. */
export type Stand = {
  /** Answers when every job has ended, or has had far more time than it may take. */
  run(): Promise<Outcome[]>
  close(): Promise<void>
}

/**
 * One whole hub in which every vendor that has such a moment meets the same fault, all at once. They share
 * the hub and nothing else: each cell has a model, a user, another vendor and a network of its own.
 */
export async function openColumn(
  column: Column,
  benches: readonly Bench[],
  random: () => number,
): Promise<Stand> {
  const places: Place[] = []
  for (const bench of benches) {
    const cell = column.cell(bench, random)
    if (cell) places.push(await open(bench, cell))
  }
  const hub = await openHub(column, places)
  // Only a power cut makes a difference, and none is played here; many hubs share one disk.
  hub.deps.db.sqlite.run('PRAGMA synchronous = OFF')
  const app = await testApp(hub.deps, { welcomeGrant: START_TOKENS })
  for (const place of places) await addModel(hub, place)
  return {
    async run() {
      const limitMs = Math.max(0, ...places.map(({ cell }) => cell.expected.toMs)) + PATIENCE_MS
      const ended = await Promise.all(places.map(place => runCell(hub, app, place, limitMs)))
      const left = await leftOver(hub, ended.every(Boolean))
      return places.map(place => {
        const outcome = judge(column, hub, app, place)
        return { ...outcome, problems: [...outcome.problems, ...left] }
      })
    },
    async close() {
      await hub.close()
      for (const place of places) await place.close()
    },
  }
}

async function open(bench: Bench, cell: Cell): Promise<Place> {
  const vendor = bench.open(cell.end ?? 'well')
  const host = startFileHost()
  cell.arrange?.(vendor)
  const { trouble, bytesPerSecond } = cell
  const slow = bytesPerSecond === undefined ? {} : { bytesPerSecond }
  let isMet = trouble === undefined
  const meets = (isIt: boolean): Trouble | null => {
    if (isMet || !trouble || !isIt) return null
    isMet = true
    return trouble.is
  }
  const api = await startLine({
    to: vendor.port,
    ...slow,
    troubleWith: (method, path) =>
      meets(
        (trouble?.with === 'start' && bench.isStart(method, path)) ||
          (trouble?.with === 'poll' && bench.isPoll(method, path)),
      ),
  })
  const files = await startLine({
    to: host.port,
    ...slow,
    troubleWith: () => meets(trouble?.with === 'file'),
  })
  const other = cell.other && fakeProvider({ name: `other than ${bench.provider}` })
  other?.script(...(cell.other ?? []))
  return {
    bench,
    cell,
    vendor,
    other,
    lines: { api: cell.isGone ? DEAD_ORIGIN : api.origin, files: files.origin },
    isMet: () => isMet,
    async close() {
      await Promise.all([api, files].map((line: Line) => line.close()))
      await Promise.all([vendor.close(), host.close()])
    },
  }
}

async function openHub(column: Column, places: Place[]): Promise<TestHub> {
  const fileHosts = new Map(
    places.flatMap(({ bench, lines }) =>
      bench.fileHost === null ? [] : [[bench.fileHost, lines.files] as const],
    ),
  )
  const keyOf = ({ key }: Bench) => (column.hasWrongKeys ? `${key}-withdrawn` : key)
  const allowPrivateDestinations = ['127.0.0.1']
  return await testHub({
    providers: places.flatMap(({ bench, lines, other }) => [
      bench.adapter(bench.baseUrl(lines.api)),
      ...(other ? [other] : []),
    ]),
    config: {
      allowPrivateDestinations,
      providerKeys: Object.fromEntries(
        places.map(({ bench }) => [bench.keyVariable, keyOf(bench)]),
      ),
      ...(column.isReachable ? { publicUrl: 'https://hub.example' } : {}),
    },
    fetch: withFileHosts(createSafeFetch({ allowPrivate: allowPrivateDestinations }), fileHosts),
  })
}

const modelOf = ({ provider }: Bench) => `matrix-${provider}`

async function addModel({ deps }: TestHub, { bench, cell, other }: Place): Promise<void> {
  await write(deps.db, tx => {
    const run = (sql: string, params: (string | number)[]) => tx.db.sqlite.run(sql, params)
    run(
      `INSERT INTO models (id, name, display_name, kind, family, description, token_cost,
         max_input_images, supports_prompt, aspect_ratios, input_schema, is_enabled, created_at, updated_at)
       VALUES (?1, ?2, ?2, ?3, 'matrix', '', ?4, 0, 1, '["1:1"]', '{"type":"object"}', 1, ?5, ?5)`,
      [tx.id(), modelOf(bench), bench.job.kind, COST, tx.now],
    )
    const route = (provider: string, providerModel: string, priority: number) =>
      run(
        `INSERT INTO model_routes (id, model_id, provider_id, provider_model, priority, config,
           is_enabled, created_at, updated_at)
         SELECT ?1, m.id, p.id, ?4, ?5, ?6, 1, ?7, ?7 FROM models m, providers p
         WHERE m.name = ?2 AND p.name = ?3`,
        [
          tx.id(),
          modelOf(bench),
          provider,
          providerModel,
          priority,
          JSON.stringify({ deadline_seconds: cell.deadlineSeconds }),
          tx.now,
        ],
      )
    route(bench.provider, bench.job.providerModel, 1)
    if (!other) return
    run(
      `INSERT INTO providers (id, name, display_name, is_enabled, created_at, updated_at)
       VALUES (?1, ?2, ?2, 1, ?3, ?3)`,
      [tx.id(), other.name, tx.now],
    )
    route(other.name, 'healthy', 2)
  })
}

/** Answers whether it has ended within the limit. */
async function runCell(
  hub: TestHub,
  app: TestApp,
  { bench, cell }: Place,
  limitMs: number,
): Promise<boolean> {
  const order = async () => {
    const { job } = await jobs.submit(hub.deps, {
      realm: app.realms.live,
      externalId: bench.provider,
      mayHaveWelcomeGrant: true,
      model: modelOf(bench),
      input: { prompt: 'a lighthouse at dawn' },
      priority: 10,
      webhookUrl: null,
      metadata: {},
      idempotency: null,
    })
    return await ends(hub, job.id, limitMs)
  }
  const isOver = await order()
  return isOver && (cell.next === undefined || (await order()))
}

async function ends({ deps: { db } }: TestHub, id: JobId, limitMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const look = () => {
    const row = db.sqlite
      .query<{ at: number | null }, [number]>('SELECT completed_at AS at FROM jobs WHERE id = ?')
      .get(id)
    if (typeof row?.at === 'number') resolve(true)
  }
  const stop = db.bus.subscribe('job.changed', look)
  const timer = setTimeout(() => resolve(false), limitMs)
  look()
  const isOver = await promise
  clearTimeout(timer)
  stop()
  return isOver
}

/**
 * Nothing is left to be done once all have ended, but for blobs that nobody named and that are looked at in
 * an hour; and every token is where the ledger says.
 */
async function leftOver({ deps, runner }: TestHub, isOver: boolean): Promise<string[]> {
  const problems: string[] = []
  if (isOver) {
    await runner.settleAll()
    const tasks = deps.db.sqlite
      .query<{ kind: string }, []>(
        `SELECT kind FROM tasks WHERE NOT (kind = 'files.discard' AND state = 'scheduled')`,
      )
      .all()
    problems.push(...tasks.map(({ kind }) => `a task is left: ${kind}`))
  }
  try {
    expectLedgerInOrder(deps)
  } catch (error) {
    problems.push(`${error}`)
  }
  return problems
}

type JobRow = {
  id: number
  status: string
  error_code: string | null
  tokens_charged: number
  tokens_refunded: number
  created_at: number
  completed_at: number | null
}
type AttemptRow = { provider: string; state: string; error_message: string | null }

function judge(column: Column, { deps }: TestHub, app: TestApp, place: Place): Outcome {
  const { bench, cell, vendor, other } = place
  const { expected } = cell
  const rows = <Row>(sql: string, value: string | number) =>
    deps.db.sqlite.query<Row, [string | number]>(sql).all(value)
  const [first, second] = rows<JobRow>(
    'SELECT * FROM jobs WHERE model_name = ? ORDER BY id',
    modelOf(bench),
  )
  if (!first) throw new Error(`no job of ${bench.label}`)
  const attemptsOf = ({ id }: JobRow) =>
    rows<AttemptRow>('SELECT * FROM attempts WHERE job_id = ? ORDER BY number', id)
  const worded = (job: JobRow) =>
    attemptsOf(job).map(({ provider, state }) =>
      provider === bench.provider ? `it ${state}` : `other ${state}`,
    )
  const seen = {
    status: first.status as Expected['status'],
    errorCode: first.error_code,
    attempts: worded(first),
    vendorStarts: vendor.starts(),
    otherStarts: other?.starts.length ?? 0,
    ms: (first.completed_at ?? deps.clock.now()) - first.created_at,
  }
  const problems: string[] = []
  const compare = (what: string, is: unknown, should: unknown) => {
    if (!Bun.deepEquals(is, should)) {
      problems.push(`${what}: ${JSON.stringify(is)} and not ${JSON.stringify(should)}`)
    }
  }
  const { fromMs, toMs, ...words } = expected
  for (const [what, should] of Object.entries(words)) {
    compare(what, seen[what as keyof typeof words], should)
  }
  if (!place.isMet()) problems.push('it never met its trouble')
  if (seen.ms < fromMs || seen.ms > toMs) {
    problems.push(`ended after ${seen.ms} ms and not between ${fromMs} and ${toMs}`)
  }
  if (cell.next) {
    compare('the next job', second?.status, cell.next.status)
    compare('attempts of the next job', second ? worded(second) : [], cell.next.attempts)
  }

  const all = second ? [first, second] : [first]
  for (const job of all) {
    const isFailed = job.status === 'failed'
    compare('refunded', job.tokens_refunded, isFailed ? COST : 0)
    compare('entries', entriesOf(rows, job.id), [
      ['GENERATION_DEBIT', -COST],
      ...(isFailed ? [['GENERATION_REFUND', COST]] : []),
    ])
  }
  const user = findByExternalId(deps.db, app.realms.live.id, bench.provider)
  const paid = all.filter(({ status }) => status !== 'failed').length * COST
  const balance = user && balanceOf(deps.db, app.realms.live.id, user.id)
  const found = balance && { available: balance.available, reserved: balance.reserved }
  compare('balance', found, { available: START_TOKENS - paid, reserved: 0 })
  if (problems.length > 0) {
    const said = attemptsOf(first).flatMap(({ error_message }) => error_message ?? [])
    problems.push(`it was said: ${said.join(' / ').slice(0, SAID_KEPT)}`)
  }
  return { column: column.name, label: bench.label, expected, seen, problems }
}

const SAID_KEPT = 200

function entriesOf(
  rows: <Row>(sql: string, value: string | number) => Row[],
  job: number,
): [string, number][] {
  return rows<{ type: string; amount: number }>(
    'SELECT type, amount FROM token_entries WHERE job_id = ? ORDER BY id',
    job,
  ).map(({ type, amount }) => [type, amount])
}

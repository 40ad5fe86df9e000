import { expect } from 'bun:test'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type FakeClock, fakeClock } from '@test/support/fake-clock'
import {
  type FakeProvider,
  type FakeProviderOptions,
  fakeProvider,
} from '@test/support/fake-provider'
import { type FakeWeb, fakeWeb } from '@test/support/fake-vendor'
import { temporaryFolder } from '@test/support/test-db'
import {
  addRoute,
  expectLedgerInOrder,
  type TestApp,
  type TestHub,
  type TestHubOptions,
  testApp,
  testHub,
} from '@test/support/test-hub'
import { type FileId, formatId, type JobId, type RealmId, type UserId } from '@/base/ids'
import { sha256Hex } from '@/base/secrets'
import { write } from '@/db/write'
import type { Realm } from '@/deps'
import * as jobs from '@/domain/jobs'
import { balanceOf } from '@/domain/ledger'
import { findByExternalId } from '@/domain/users'
import type { Runner } from '@/queue/runner'

/** A hub with one app, one rich user and fake vendors that serve the seeded models for live keys. */
export type Stage = {
  hub: TestHub
  deps: TestHub['deps']
  runner: Runner
  clock: FakeClock
  web: FakeWeb
  provider: FakeProvider
  providers: FakeProvider[]
  app: TestApp
  realm: Realm
  /** Ends the hub without waiting for anybody. May be called twice. */
  close(): Promise<void>
  /** The same for a hub that is frozen: nothing that it still wants to say is heard. */
  abandon(): Promise<void>
}

export type StageOptions = {
  /** One vendor with these abilities, or several of them, the first with the best priority. */
  provider?: FakeProviderOptions
  providers?: FakeProvider[]
  /** Where the app wants to hear of everything; null: nowhere. */
  webhookUrl?: string | null
  /** What the user starts with. */
  tokens?: number
  startMs?: number
  hub?: Omit<TestHubOptions, 'providers' | 'fetch' | 'clock'>
}

export const WEBHOOK_URL = 'https://app.example.com/hook'
/** Models of the stage's own, so that nothing here depends on what is shipped. */
export const MODEL = 'stage-picture'
export const TEXT_MODEL = 'stage-text'
/** Tokens an output of either. */
export const COST = 3
export const USER = 'person-in-question'
export const START_TOKENS = 1_000

const open = new Set<Stage>()

export async function stage(options: StageOptions = {}): Promise<Stage> {
  const clock = fakeClock(options.startMs)
  const web = fakeWeb()
  const providers = options.providers ?? [fakeProvider(options.provider)]
  const hub = await testHub({ ...options.hub, clock, providers, fetch: web.fetch })
  const webhookUrl = options.webhookUrl === undefined ? WEBHOOK_URL : options.webhookUrl
  web.serve(WEBHOOK_URL, 200)
  const app = await testApp(hub.deps, {
    welcomeGrant: options.tokens ?? START_TOKENS,
    ...(webhookUrl === null ? {} : { webhookUrl }),
  })
  await addModel(hub.deps, { name: MODEL, kind: 'image', aspectRatios: ['1:1', '16:9'] })
  await addModel(hub.deps, { name: TEXT_MODEL, kind: 'text', aspectRatios: [] })
  for (const [index, { name }] of providers.entries()) {
    for (const model of [MODEL, TEXT_MODEL]) {
      await addRoute(hub.deps, { model, provider: name, priority: index + 1 })
    }
  }
  return onStage({ hub, clock, web, providers, app })
}

async function addModel(
  deps: Stage['deps'],
  model: { name: string; kind: string; aspectRatios: string[] },
): Promise<void> {
  const schema = { type: 'object', properties: { seed: { type: 'integer' } } }
  await write(deps.db, tx => {
    tx.db.sqlite.run(
      `INSERT INTO models (id, name, display_name, kind, family, description, token_cost,
         max_input_images, supports_prompt, aspect_ratios, input_schema, is_enabled, created_at, updated_at)
       VALUES (?1, ?2, ?2, ?3, 'stage', '', ?4, 0, 1, ?5, ?6, 1, ?7, ?7)`,
      [
        tx.id(),
        model.name,
        model.kind,
        COST,
        JSON.stringify(model.aspectRatios),
        JSON.stringify(schema),
        tx.now,
      ],
    )
  })
}

function onStage(parts: Pick<Stage, 'hub' | 'clock' | 'web' | 'providers' | 'app'>): Stage {
  const [provider] = parts.providers
  if (!provider) throw new Error('a stage has a vendor')
  const { deps, runner } = parts.hub
  // A process that dies loses nothing that it wrote. Only a power cut does, and none is played here.
  deps.db.sqlite.run('PRAGMA synchronous = OFF')
  let isOpen = true
  const end = async (stopped: Promise<void>) => {
    if (!isOpen) return
    isOpen = false
    await stopped
    // Whoever is still at work is as good as dead: nobody hears of its end.
    deps.db.writer.enqueue = () => new Promise(() => {})
    await parts.hub.hub.close()
    rmSync(deps.config.dataDir, { recursive: true, force: true })
  }
  const made = {
    ...parts,
    deps,
    runner,
    provider,
    realm: parts.app.realms.live,
    close: () => end(runner.stop(0)),
    abandon() {
      void runner.stop(0)
      return end(Promise.resolve())
    },
  }
  open.add(made)
  return made
}

/** For `afterEach`: whatever still hangs is told to stop, and nobody waits for it. */
export async function closeStages(): Promise<void> {
  for (const each of open) await each.close()
  open.clear()
}

/**
 * What a dead process leaves on the disk, taken now: everything that was committed, and every blob.
 * The caller sees to it that the old hub never goes on.
 */
export function imageOfDisk({ deps }: Pick<Stage, 'deps'>): string {
  return copyOfImage(deps.config.dataDir)
}

/** One image for many lives: each life writes on its own. */
export function copyOfImage(image: string): string {
  const folder = temporaryFolder()
  for (const name of ['hub.db', 'hub.db-wal', 'secret.key', 'files']) {
    const from = join(image, name)
    if (existsSync(from)) cpSync(from, join(folder, name), { recursive: true })
  }
  return folder
}

/** A new life of the process on that disk: a new boot id, the same vendors, the same world. */
export async function rebootFrom(
  folder: string,
  old: Pick<Stage, 'clock' | 'web' | 'providers' | 'app'>,
  isRunning = true,
): Promise<Stage> {
  const { clock, web, providers, app } = old
  const hub = await testHub({ folder, clock, providers, fetch: web.fetch, isRunning })
  return onStage({ hub, clock, web, providers, app })
}

export async function submit(
  on: Stage,
  change: Partial<Omit<jobs.Submission, 'input'>> & { input?: Record<string, unknown> } = {},
): Promise<JobId> {
  return (await submitted(on, change)).job.id
}

export async function submitted(
  on: Stage,
  change: Partial<Omit<jobs.Submission, 'input'>> & { input?: Record<string, unknown> } = {},
): Promise<jobs.Submitted> {
  return await jobs.submit(on.deps, {
    realm: on.realm,
    externalId: USER,
    mayHaveWelcomeGrant: true,
    model: MODEL,
    priority: 10,
    webhookUrl: null,
    metadata: {},
    idempotency: null,
    ...change,
    input: { prompt: 'a lighthouse at dawn', ...change.input },
  })
}

/** Does all that is due now. */
export async function run(on: Stage): Promise<void> {
  const isBusy = () => {
    const { ready, running } = on.runner.stats()
    return [...Object.values(ready), ...Object.values(running)].some(count => count > 0)
  }
  // The queue's own timer may have made something ready right behind its back.
  do await on.runner.settleAll()
  while (isBusy())
}

/** Lets time pass from one due task to the next until the job has ended. */
export async function runToEnd(on: Stage, id: JobId): Promise<void> {
  await passTime(on, () => jobRow(on, id).completed_at !== null)
  expect(jobRow(on, id).completed_at).not.toBeNull()
}

/** Lets time pass until nothing at all is left to be done. */
export async function runOut(on: Stage): Promise<void> {
  await passTime(on, () => false)
  expect(rows(on, 'SELECT kind, state, run_at FROM tasks')).toEqual([])
}

/** Turns the loop until it is true; what happens meanwhile is the hub's own work. */
export async function until(isTrue: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 4_000
  while (!isTrue()) {
    if (performance.now() > giveUpAt) throw new Error(`never true: ${isTrue}`)
    await new Promise(resolve => setImmediate(resolve))
  }
}

const MOST_STEPS = 500

async function passTime(on: Stage, isOver: () => boolean): Promise<void> {
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    await run(on)
    const next = nextDue(on)
    if (isOver() || next === null) return
    on.clock.advance(Math.max(next - on.clock.now(), 0))
  }
  throw new Error(`not over after ${MOST_STEPS} steps`)
}

export function nextDue(on: Stage): number | null {
  const [row] = rows<{ at: number | null }>(
    on,
    `SELECT min(run_at) AS at FROM tasks WHERE state = 'scheduled'`,
  )
  return row?.at ?? null
}

export function rows<T = Record<string, unknown>>(
  on: Pick<Stage, 'deps'>,
  sql: string,
  ...params: (string | number)[]
): T[] {
  return on.deps.db.sqlite.query(sql).all(...params) as T[]
}

export type JobRow = {
  status: string
  tokens_charged: number
  tokens_refunded: number
  provider_used: string | null
  attempts: number
  cost_micro_usd: number
  error_code: string | null
  completed_at: number | null
  started_at: number | null
}

export function jobRow(on: Stage, id: JobId): JobRow {
  const [row] = rows<JobRow>(on, 'SELECT * FROM jobs WHERE id = ?', id)
  if (!row) throw new Error('no such job')
  return row
}

export type AttemptRow = {
  id: number
  number: number
  provider: string
  reason: string
  state: string
  operation: string | null
  outputs: string | null
  first_file_id: number
  error_kind: string | null
  error_message: string | null
  cost_micro_usd: number | null
  finished_at: number | null
}

export function attemptRows(on: Stage, id: JobId): AttemptRow[] {
  return rows<AttemptRow>(on, 'SELECT * FROM attempts WHERE job_id = ? ORDER BY number', id)
}

export function attemptStates(on: Stage, id: JobId): string[] {
  return attemptRows(on, id).map(attempt => attempt.state)
}

export function eventTypes(on: Stage, id: JobId): string[] {
  const found = rows<{ type: string }>(
    on,
    'SELECT type FROM events WHERE job_id = ? ORDER BY id',
    id,
  )
  return found.map(event => event.type)
}

export function userId(on: Stage, externalId = USER): UserId {
  const user = findByExternalId(on.deps.db, on.realm.id, externalId)
  if (!user) throw new Error('no such user')
  return user.id
}

export function balance(on: Stage): { available: number; reserved: number } {
  const { available, reserved } = balanceOf(on.deps.db, on.realm.id, userId(on))
  return { available, reserved }
}

export function viewOf(on: Stage, id: JobId): jobs.JobView {
  const view = jobs.findJob(on.deps, { realmId: on.realm.id, userId: null }, id)
  if (!view) throw new Error('no such job')
  return view
}

export function endedJob(on: Stage, id: JobId): jobs.EndedJob {
  const job = jobs.findEnded(on.deps.db, on.realm.id as RealmId, id)
  if (!job) throw new Error('no such job')
  return job
}

/** The job took its tokens once and gave back what it did not keep, at most once. */
export function expectMoney(on: Stage, id: JobId, expected: { charged: number; refunded: number }) {
  const entries = rows<{ type: string; amount: number }>(
    on,
    'SELECT type, amount FROM token_entries WHERE job_id = ? ORDER BY id',
    id,
  )
  const { charged, refunded } = expected
  expect(entries).toEqual([
    ...(charged > 0 ? [{ type: 'GENERATION_DEBIT', amount: -charged }] : []),
    ...(refunded > 0 ? [{ type: 'GENERATION_REFUND', amount: refunded }] : []),
  ])
  const isVoid = refunded === charged
  const state = jobRow(on, id).completed_at === null ? 'open' : isVoid ? 'voided' : 'settled'
  expect(rows(on, 'SELECT state FROM holds WHERE job_id = ?', id)).toEqual(
    charged > 0 ? [{ state }] : [],
  )
  const { tokens_charged, tokens_refunded } = jobRow(on, id)
  expect({ tokens_charged, tokens_refunded }).toEqual({
    tokens_charged: charged,
    tokens_refunded: refunded,
  })
  expectLedgerInOrder(on.deps)
}

/** No attempt is left open, no task is left for it, and it said once that it ended. */
export function expectEndedOnce(on: Stage, id: JobId, event: string) {
  expect(rows(on, 'SELECT id FROM tasks WHERE id = ?', id)).toEqual([])
  expect(eventTypes(on, id)).toEqual([event])
  expectLedgerInOrder(on.deps)
}

/** Every row has its blob with exactly its bytes, and every blob has a row. */
export async function expectBlobsMatchRows(on: Stage): Promise<void> {
  const files = rows<{ id: FileId; bytes: number; sha256: string }>(
    on,
    'SELECT id, bytes, sha256 FROM files ORDER BY id',
  )
  for (const file of files) {
    const blob = await on.deps.storage.get(formatId('file', file.id))
    if (!blob) throw new Error(`the blob of file ${file.id} is missing`)
    const content = new Uint8Array(await blob.arrayBuffer())
    expect({ bytes: content.length, sha256: sha256Hex(content) }).toEqual({
      bytes: file.bytes,
      sha256: file.sha256,
    })
  }
  expect(blobNames(on)).toEqual(files.map(file => formatId('file', file.id)))
}

/** What lies in the store, in order. */
export function blobNames(on: Pick<Stage, 'deps'>): string[] {
  const folder = join(on.deps.config.dataDir, 'files')
  if (!existsSync(folder)) return []
  return (
    readdirSync(folder, { withFileTypes: true, recursive: true })
      // What a dead process was writing lies in tmp and can be read by nobody.
      .filter(entry => entry.isFile() && !entry.parentPath.endsWith('tmp'))
      .map(entry => entry.name)
      .sort()
  )
}

/** The stored bytes of each output, in order. */
export async function outputBytes(on: Stage, id: JobId): Promise<Uint8Array[]> {
  const contents: Uint8Array[] = []
  for (const { fileId } of viewOf(on, id).outputs) {
    const blob = fileId === null ? null : await on.deps.storage.get(formatId('file', fileId))
    contents.push(blob ? new Uint8Array(await blob.arrayBuffer()) : new Uint8Array())
  }
  return contents
}

/** The whole database, WAL and all, as a grep would see it. */
export function databaseBytes(on: Pick<Stage, 'deps'>): Buffer {
  const parts = ['hub.db', 'hub.db-wal']
    .map(name => join(on.deps.config.dataDir, name))
    .filter(existsSync)
  return Buffer.concat(parts.map(path => readFileSync(path)))
}

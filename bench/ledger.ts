/**
 * Re-adding a large ledger: `bun bench/ledger.ts [entries]`. Prints milliseconds; 5,000 is the mark for a
 * million entries. The book is honest and has some of everything: plain users and users with buckets, jobs
 * settled in full and for less, expiries, charges and their refunds, debts.
 */
import type { Database } from 'bun:sqlite'
import { rmSync } from 'node:fs'
import { readConfig } from '@/base/config'
import { createLog } from '@/base/log'
import { createApp, realmsOf } from '@/domain/apps'
import { verify } from '@/domain/ledger'
import { openHub } from '@/hub'
import { benchFolder } from './servers'

/** Of each user: see `fill`. */
const ENTRIES_EACH = 100
/** Room for the ids of one user, and where those of the entries begin in it. */
const IDS_EACH = 1_000
const ENTRY_IDS_FROM = 400

export async function benchLedger(entries: number): Promise<{ ms: number; entries: number }> {
  const folder = await benchFolder()
  const hub = await openHub({
    config: readConfig({ DATA_DIR: folder.path }),
    log: createLog({
      level: 'error',
      wall: Date.now,
      write: text => void process.stderr.write(text),
    }),
    exclusive: 'bench',
    onFatal: error => {
      throw error
    },
  })
  try {
    const shell = { kind: 'shell', id: 'bench' } as const
    const { app } = await createApp(hub.deps, shell, { name: 'Ledger', slug: 'ledger' })
    const { sqlite } = hub.deps.db
    fill(sqlite, realmsOf(hub.deps.db, app.id).live.id, Math.ceil(entries / ENTRIES_EACH))
    const { n } = sqlite.query('SELECT count(*) AS n FROM token_entries').get() as { n: number }
    const cpu = process.cpuUsage()
    const startedAt = performance.now()
    const differences = verify(hub.deps.db)
    const ms = performance.now() - startedAt
    if (differences.length > 0) {
      throw new Error(`the book is not honest: ${JSON.stringify(differences.slice(0, 3))}`)
    }
    const { user, system } = process.cpuUsage(cpu)
    const cpuMs = (user + system) / 1_000
    console.log(
      `ledger verify: ${n} entries in ${ms.toFixed(0)} ms, ${cpuMs.toFixed(0)} of them at work`,
    )
    return { ms, entries: n }
  } finally {
    await hub.close()
    rmSync(folder.path, { recursive: true, force: true })
  }
}

/**
 * A user has a bucket of 100 and 1,000 plain tokens. 30 holds of 2 are settled for 1: those of the bucket
 * keep its first. 17 holds of 1 are settled in full, 10 charges of 1 of which the last comes back, and at
 * the end what is left of the bucket expires. A grant of 5 was reversed when 3 of it were left.
 */
function fill(sqlite: Database, realmId: number, users: number): void {
  sqlite.run('PRAGMA synchronous = OFF')
  sqlite.run('BEGIN')
  const insert = {
    user: sqlite.prepare(
      'INSERT INTO users (id, realm_id, balance, reserved, bucketed, owed, created_at, updated_at) VALUES (?, ?, ?, 0, 0, ?, 0, 0)',
    ),
    bucket: sqlite.prepare("INSERT INTO token_buckets VALUES (?, ?, ?, 'bonus', 100, 0, 1, 0)"),
    hold: sqlite.prepare("INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?, 'settled', ?, 0, 0)"),
    part: sqlite.prepare('INSERT INTO hold_parts VALUES (?, ?, ?, ?)'),
    job: sqlite.prepare(
      `INSERT INTO jobs (id, realm_id, user_id, kind, model_id, model_name, status, priority, num_outputs, quote,
         tokens_charged, tokens_refunded, metadata, created_at, completed_at)
       VALUES (?, ?, ?, 'image', 1, 'a-model', 'succeeded', 10, 1, '{}', ?, ?, '{}', 0, 0)`,
    ),
    entry: sqlite.prepare(
      `INSERT INTO token_entries (user_id, id, realm_id, amount, balance_after, type, hold_id, job_id, bucket_id,
         source, source_id, description, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'a-model', 0)`,
    ),
  }
  for (let n = 0; n < users; n++) {
    const user = (n + 1) * IDS_EACH
    const bucket = user + 1
    let id = user + 2
    let balance = 0
    const lines: [number, string, number | null, number | null, number | null, string | null][] = []
    const say = (
      amount: number,
      type: string,
      of: { hold?: number; job?: number; bucket?: number; source?: string } = {},
    ) =>
      lines.push([
        amount,
        type,
        of.hold ?? null,
        of.job ?? null,
        of.bucket ?? null,
        of.source ?? null,
      ])
    const holds: [number, number, string, number, number][] = []
    const parts: [number, number, number][] = []
    say(1_000, 'GRANT')
    say(100, 'BONUS', { bucket })
    let inBucket = 100
    for (let i = 0; i < 47; i++) {
      const job = id++
      const hold = id++
      const amount = i < 30 ? 2 : 1
      say(-amount, 'GENERATION_DEBIT', { hold, job })
      if (i < 30) say(1, 'GENERATION_REFUND', { hold, job })
      holds.push([hold, job, 'generate', amount, 1])
      parts.push([hold, amount, amount - 1])
      inBucket--
    }
    for (let i = 0; i < 10; i++) {
      const hold = id++
      const isBack = i === 9
      say(-1, 'FEATURE_DEBIT', { hold })
      if (isBack) say(1, 'FEATURE_REFUND', { hold })
      holds.push([hold, hold, 'charge', 1, isBack ? 0 : 1])
      parts.push([hold, 1, isBack ? 1 : 0])
      if (!isBack) inBucket--
    }
    say(-inBucket, 'EXPIRY', { bucket, source: `${bucket}:1` })
    const reversal = id++
    const grantEntry = entryIdOf(user, lines.length)
    say(5, 'GRANT')
    holds.push([reversal, grantEntry, 'reversal', 5, 3])
    say(2, 'DEBT', { hold: reversal })
    say(-5, 'CLAWBACK', { hold: reversal })
    while (lines.length < ENTRIES_EACH) say(1, 'GRANT')
    const total = lines.reduce((sum, [amount]) => sum + amount, 0)
    insert.user.run(user, realmId, total, 2)
    insert.bucket.run(bucket, realmId, user)
    for (const [hold, job, purpose, amount, settled] of holds) {
      insert.hold.run(hold, realmId, user, job, purpose, amount, settled)
      if (purpose === 'generate') insert.job.run(job, realmId, user, amount, amount - settled)
    }
    for (const [hold, amount, returned] of parts) insert.part.run(hold, bucket, amount, returned)
    for (const [index, [amount, type, hold, job, ofBucket, source]] of lines.entries()) {
      balance += amount
      insert.entry.run(
        user,
        entryIdOf(user, index),
        realmId,
        amount,
        balance,
        type,
        hold,
        job,
        ofBucket,
        source ? 'expiry' : null,
        source,
      )
    }
  }
  sqlite.run('COMMIT')
}

const entryIdOf = (user: number, index: number) => user + ENTRY_IDS_FROM + index

if (import.meta.main) await benchLedger(Number(process.argv[2] ?? 1_000_000))

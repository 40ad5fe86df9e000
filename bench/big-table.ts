/**
 * Accepting jobs with a million of them in the table, against an empty one. `bun bench/big-table.ts [jobs]`.
 */
import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import { generateRequest, measure, paired, report } from './generate'
import { type BenchFolder, benchFolder, removeFolder, startBenchServer } from './servers'

/** Ended jobs with all the rows that a real one leaves: input, hold, two entries, attempt, output, file. */
function fill(folder: BenchFolder, jobs: number) {
  const db = new Database(join(folder.path, 'hub.db'), { strict: true })
  db.run('PRAGMA synchronous = OFF')
  const { realm_id, model_id } = db
    .query('SELECT u.realm_id, m.id AS model_id FROM users u, models m LIMIT 1')
    .get() as { realm_id: number; model_id: number }
  const users = db.query('SELECT id FROM users ORDER BY id').all() as { id: number }[]
  const { last_id } = db.query('SELECT last_id FROM hub').get() as { last_id: number }
  // Older than everything real: ids that lie before the newest.
  const firstId = 1_000
  const insert = {
    job: db.prepare(
      `INSERT INTO jobs (id, realm_id, user_id, kind, model_id, model_name, status, priority, num_outputs, quote,
         tokens_charged, metadata, created_at, started_at, completed_at, attempts, provider_used)
       VALUES (?1, ?2, ?3, 'image', ?4, 'flux-schnell', 'succeeded', 10, 1, '{"tokens":1}', 1, '{}', ?5, ?5, ?5, 1, 'sandbox')`,
    ),
    input: db.prepare(
      `INSERT INTO job_inputs VALUES (?, '{"prompt":"A futuristic city at sunset"}')`,
    ),
    hold: db.prepare(
      `INSERT INTO holds VALUES (?1, ?2, ?3, ?4, 'generate', 1, 'settled', 1, ?5, ?5)`,
    ),
    entry: db.prepare(
      `INSERT INTO token_entries (user_id, id, realm_id, amount, balance_after, type, hold_id, job_id, description, created_at)
       VALUES (?, ?, ?, -1, 0, 'GENERATION_DEBIT', ?, ?, 'flux-schnell', ?)`,
    ),
    output: db.prepare('INSERT INTO job_outputs VALUES (?, 0, ?, NULL)'),
    file: db.prepare(
      `INSERT INTO files (id, realm_id, user_id, job_id, purpose, content_type, bytes, width, height, sha256, created_at)
       VALUES (?, ?, ?, ?, 'output', 'image/png', 1000, 48, 48, '', ?)`,
    ),
  }
  const idsEach = 8
  if (firstId + jobs * idsEach > last_id)
    throw new Error('too many jobs for the ids before the newest')
  for (let done = 0; done < jobs; ) {
    db.run('BEGIN')
    for (const until = Math.min(done + 10_000, jobs); done < until; done++) {
      const id = firstId + done * idsEach
      const user = users[(done * 7919) % users.length]?.id ?? 0
      insert.job.run(id, realm_id, user, model_id, done)
      insert.input.run(id)
      insert.hold.run(id + 1, realm_id, user, id, done)
      insert.entry.run(user, id + 2, realm_id, id + 1, id, done)
      insert.output.run(id, id + 3)
      insert.file.run(id + 3, realm_id, user, id, done)
    }
    db.run('COMMIT')
  }
  db.run('PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
}

export async function benchBigTable(
  jobs: number,
  rounds: number,
  durationMs: number,
): Promise<number> {
  const folders = [await benchFolder(), await benchFolder()] as const
  fill(folders[0], jobs)
  const big = await startBenchServer('product.ts', folders[0], { RUNNER: 'paused' })
  const empty = await startBenchServer('product.ts', folders[1], { RUNNER: 'paused' })
  try {
    const options = { connections: 64, durationMs, expect: 202 }
    const requests = [generateRequest(folders[0]), generateRequest(folders[1])] as const
    const pairs = await paired(
      rounds,
      () => measure(big, requests[0], options),
      () => measure(empty, requests[1], options),
    )
    return report(`generate with ${jobs} jobs`, pairs)
  } finally {
    await big.stop()
    await empty.stop()
    for (const folder of folders) removeFolder(folder)
  }
}

if (import.meta.main) await benchBigTable(Number(process.argv[2] ?? 1_000_000), 7, 1_500)

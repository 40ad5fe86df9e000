import { Database } from 'bun:sqlite'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatId } from '@/base/ids'
import { sha256Hex } from '@/base/secrets'
import type { Db } from '@/db/open'
import { verify } from '@/domain/ledger'
import { SCHEDULE } from '@/workers/schedule'

/** Ordered again and again, so one may be under way at any moment. */
const TIMED = SCHEDULE.map(({ kind }) => `'${kind}'`).join(', ')

/**
 * What must be true of a data folder in which everything has ended, read from the files themselves and
 * not from what the server says. Answers a sentence for each thing that is not.
 */
export function problemsIn(folder: string): string[] {
  const sqlite = new Database(join(folder, 'hub.db'), { readonly: true, strict: true })
  try {
    const texts = (sql: string) => (sqlite.query(sql).all() as { text: string }[]).map(r => r.text)
    return [
      ...verify({ sqlite } as Db).map(difference => `ledger: ${JSON.stringify(difference)}`),
      ...QUESTIONS.flatMap(texts),
      ...blobProblems(sqlite, folder),
    ]
  } finally {
    sqlite.close()
  }
}

/** Each finds what must not be. Written apart from the product's own check, so that one may find the other's hole. */
const QUESTIONS = [
  `SELECT 'integrity: ' || integrity_check AS text FROM pragma_integrity_check WHERE integrity_check <> 'ok'`,
  `SELECT 'a broken reference of ' || "table" AS text FROM pragma_foreign_key_check`,
  `SELECT 'job ' || id || ' is ' || status AS text FROM jobs WHERE completed_at IS NULL`,
  `SELECT 'job ' || job_id || ' holds still' AS text FROM holds WHERE state = 'open'`,
  `SELECT 'job ' || j.id || ' has ' || count(h.id) || ' holds' AS text
   FROM jobs j LEFT JOIN holds h ON h.job_id = j.id GROUP BY j.id HAVING count(h.id) <> 1`,
  `SELECT 'job ' || j.id || ' was charged ' || count(e.id) || ' times' AS text
   FROM jobs j LEFT JOIN token_entries e ON e.job_id = j.id AND e.type = 'GENERATION_DEBIT'
   GROUP BY j.id HAVING count(e.id) <> 1`,
  `SELECT 'job ' || job_id || ' was refunded ' || count(*) || ' times' AS text
   FROM token_entries WHERE type = 'GENERATION_REFUND' GROUP BY job_id HAVING count(*) > 1`,
  `SELECT status || ' job ' || j.id || ' paid ' || -sum(e.amount) || ' of ' || j.tokens_charged || ' for '
     || (SELECT count(*) FROM job_outputs o WHERE o.job_id = j.id) || ' of ' || j.num_outputs AS text
   FROM jobs j JOIN token_entries e ON e.job_id = j.id GROUP BY j.id
   HAVING -sum(e.amount) <> j.tokens_charged * (SELECT count(*) FROM job_outputs o WHERE o.job_id = j.id) / j.num_outputs`,
  `SELECT 'a charge without its job ' || job_id AS text FROM token_entries
   WHERE job_id IS NOT NULL AND job_id NOT IN (SELECT id FROM jobs)`,
  `SELECT 'attempt ' || id || ' is ' || state AS text FROM attempts WHERE finished_at IS NULL`,
  `SELECT 'task ' || kind || ' is ' || state AS text FROM tasks
   WHERE state <> 'scheduled' AND kind NOT IN (${TIMED})`,
  `SELECT 'a delivery is ' || state AS text FROM webhook_deliveries WHERE state <> 'delivered'`,
  `SELECT 'an event of job ' || job_id || ' comes ' || count(*) || ' times' AS text
   FROM events GROUP BY job_id HAVING count(*) <> 1`,
  `SELECT 'a file of job ' || job_id || ' is no output' AS text FROM files
   WHERE id NOT IN (SELECT file_id FROM job_outputs WHERE file_id IS NOT NULL)`,
]

type FileRow = { id: number; bytes: number; sha256: string }

/** Every row has its blob, byte for byte, and every blob has its row or an order to remove it. */
function blobProblems(sqlite: Database, folder: string): string[] {
  const rows = sqlite.query('SELECT id, bytes, sha256 FROM files').all() as FileRow[]
  const blobs = blobsIn(folder)
  const named = new Set(rows.map(row => formatId('file', row.id)))
  const doomed = doomedBlobs(sqlite)
  return [
    ...rows.flatMap(row => {
      const path = blobs.get(formatId('file', row.id))
      if (path === undefined) return [`file ${row.id} has no blob`]
      const bytes = readFileSync(path)
      const isSame = bytes.length === row.bytes && sha256Hex(bytes) === row.sha256
      return isSame ? [] : [`the blob of file ${row.id} has other bytes`]
    }),
    ...[...blobs.keys()]
      .filter(name => !named.has(name) && !doomed.has(name))
      .map(name => `blob ${name} belongs to nobody`),
  ]
}

/** Blobs by name, without the drafts that are being written. */
export function blobsIn(folder: string): Map<string, string> {
  const root = join(folder, 'files')
  const entries = readdirSyncOrNone(root)
  return new Map(
    entries
      .filter(entry => entry.isFile() && !entry.parentPath.endsWith('/tmp'))
      .map(entry => [entry.name, join(entry.parentPath, entry.name)]),
  )
}

function readdirSyncOrNone(root: string) {
  try {
    return readdirSync(root, { recursive: true, withFileTypes: true })
  } catch {
    return []
  }
}

function doomedBlobs(sqlite: Database): Set<string> {
  const orders = sqlite.query(`SELECT payload FROM tasks WHERE kind = 'files.discard'`).all() as {
    payload: string
  }[]
  return new Set(
    orders.flatMap(({ payload }) => {
      const { first_file_id, count } = JSON.parse(payload) as {
        first_file_id: number
        count: number
      }
      return Array.from({ length: count }, (_, index) => formatId('file', first_file_id + index))
    }),
  )
}

/** One number, asked of the database file. */
export function countIn(folder: string, sql: string): number {
  const sqlite = new Database(join(folder, 'hub.db'), { readonly: true, strict: true })
  try {
    const row = sqlite.query(sql).get() as Record<string, number> | null
    return Object.values(row ?? {})[0] ?? 0
  } finally {
    sqlite.close()
  }
}

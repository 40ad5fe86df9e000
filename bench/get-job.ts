/** Reading one job, against a bare Bun.serve with one indexed read. `bun bench/get-job.ts [rounds] [ms]`. */
import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import { formatId } from '@/base/ids'
import { generateRequest, measure, paired, report } from './generate'
import { httpRequest } from './load'
import {
  type BenchFolder,
  type BenchServer,
  benchFolder,
  removeFolder,
  startBenchServer,
} from './servers'

const SEED_MS = 300

/** Some jobs to read, made through the server itself. */
async function makeJobs(server: BenchServer, folder: BenchFolder): Promise<number[]> {
  const request = generateRequest(folder)
  await measure(server, request, { connections: 16, durationMs: SEED_MS, expect: 202 })
  const db = new Database(join(folder.path, 'hub.db'), { readonly: true })
  const rows = db.query('SELECT id FROM jobs ORDER BY id DESC LIMIT 500').all() as { id: number }[]
  db.close()
  return rows.map(row => row.id)
}

export async function benchGetJob(rounds: number, durationMs: number): Promise<number> {
  const folders = [await benchFolder(), await benchFolder()] as const
  const product = await startBenchServer('product.ts', folders[0], { RUNNER: 'paused' })
  const limit = await startBenchServer('limit.ts', folders[1])
  try {
    const reads = (ids: number[], key: string, show: (id: number) => string) => {
      const all = ids.map(id =>
        httpRequest('GET', `/api/v1/jobs/${show(id)}`, { 'x-api-key': key }),
      )
      return (connection: number, sequence: number) =>
        all[(connection + sequence) % all.length] ?? ''
    }
    const productReads = reads(await makeJobs(product, folders[0]), folders[0].key, id =>
      formatId('job', id),
    )
    const limitReads = reads(await makeJobs(limit, folders[1]), folders[1].key, String)
    const options = { connections: 64, durationMs, expect: 200 }
    const pairs = await paired(
      rounds,
      () => measure(product, productReads, options),
      () => measure(limit, limitReads, options),
    )
    return report('get a job, 64 conn', pairs)
  } finally {
    await product.stop()
    await limit.stop()
    for (const folder of folders) removeFolder(folder)
  }
}

if (import.meta.main)
  await benchGetJob(Number(process.argv[2] ?? 7), Number(process.argv[3] ?? 1_500))

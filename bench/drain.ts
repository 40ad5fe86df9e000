/**
 * A backlog worked off with canned pictures, one stored file each. `bun bench/drain.ts [jobs]`. Prints
 * jobs a second and the resident memory before, after, and after as much again.
 */
import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import { generateRequest } from './generate'
import { load } from './load'
import { benchFolder, removeFolder, residentMb, startBenchServer } from './servers'

const CONNECTIONS = 64
const GIVE_UP_MS = 180_000

export async function benchDrain(
  jobs: number,
): Promise<{ perSecond: number; residentMb: number[] }> {
  const folder = await benchFolder()
  const server = await startBenchServer('product.ts', folder, { RUNNER: 'paused' })
  const db = new Database(join(folder.path, 'hub.db'), { readonly: true })
  const count = (where: string) =>
    (db.query(`SELECT count(*) AS n FROM jobs WHERE ${where}`).get() as { n: number }).n
  const memory = [residentMb(server.pid)]
  try {
    const request = generateRequest(folder)
    while (count('1') < jobs) {
      await load({
        port: server.port,
        connections: CONNECTIONS,
        durationMs: 500,
        request,
        expect: 202,
      })
    }
    const queued = count("status = 'queued'")
    memory.push(residentMb(server.pid))
    const startedAt = performance.now()
    process.kill(server.pid, 'SIGUSR2')
    while (count("status IN ('queued', 'running')") > 0) {
      if (performance.now() - startedAt > GIVE_UP_MS) throw new Error('the backlog is not drained')
      await Bun.sleep(50)
    }
    const perSecond = queued / ((performance.now() - startedAt) / 1000)
    memory.push(residentMb(server.pid))
    const failed = count("status <> 'succeeded'")
    if (failed > 0) throw new Error(`${failed} jobs did not succeed`)
    // The same load once more, runner on: memory that keeps growing would show.
    const until = performance.now() + 5_000
    while (performance.now() < until) {
      await load({ port: server.port, connections: 8, durationMs: 1_000, request, expect: 202 })
    }
    memory.push(residentMb(server.pid))
    const shown = memory.map(mb => mb.toFixed(0)).join(' -> ')
    console.log(
      `drain of ${queued} jobs          ${perSecond.toFixed(0)} jobs/s   resident MB ${shown} (start, queued, drained, after 5 s more)`,
    )
    return { perSecond, residentMb: memory }
  } finally {
    db.close()
    await server.stop()
    removeFolder(folder)
  }
}

if (import.meta.main) await benchDrain(Number(process.argv[2] ?? 20_000))

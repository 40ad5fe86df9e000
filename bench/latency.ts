/** From POST to succeeded on an idle system with an instant provider. `bun bench/latency.ts [count]`. */
import { generateRequest } from './generate'
import { benchFolder, median, removeFolder, startBenchServer } from './servers'

export async function benchLatency(count: number): Promise<number> {
  const folder = await benchFolder()
  const server = await startBenchServer('product.ts', folder)
  const base = `http://127.0.0.1:${server.port}`
  const headers = { 'x-api-key': folder.key, 'x-user-id': folder.users[0] ?? '' }
  const body = generateRequest(folder)(0, 0).toString().split('\r\n\r\n')[1] ?? ''
  const times: number[] = []
  try {
    for (let i = 0; i < count; i++) {
      const startedAt = performance.now()
      const posted = await fetch(`${base}/api/v1/generate`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body,
      })
      const { job_id } = (await posted.json()) as { job_id: string }
      for (let status = 'queued'; status !== 'succeeded'; ) {
        if (performance.now() - startedAt > 5_000) throw new Error(`job ${job_id} is ${status}`)
        const got = await fetch(`${base}/api/v1/jobs/${job_id}`, { headers })
        status = ((await got.json()) as { status: string }).status
      }
      times.push(performance.now() - startedAt)
    }
  } finally {
    await server.stop()
    removeFolder(folder)
  }
  times.sort((a, b) => a - b)
  const p99 = times[Math.floor(times.length * 0.99)] ?? 0
  console.log(
    `POST to succeeded, idle        median ${median(times).toFixed(1)} ms  p99 ${p99.toFixed(1)} ms`,
  )
  return median(times)
}

if (import.meta.main) await benchLatency(Number(process.argv[2] ?? 200))

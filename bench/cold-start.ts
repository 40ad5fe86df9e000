/** From exec to a healthy answer on existing data. `bun bench/cold-start.ts [executable] [times]`. */
import { join } from 'node:path'
import { benchFolder, median, removeFolder } from './servers'

export async function benchColdStart(executable: string, times: number): Promise<number> {
  const folder = await benchFolder()
  const starts: number[] = []
  try {
    for (let i = 0; i < times; i++) {
      const port = 20_000 + Math.floor(Math.random() * 20_000)
      const startedAt = performance.now()
      const child = Bun.spawn([executable, 'serve'], {
        stdout: 'ignore',
        stderr: 'ignore',
        env: { ...process.env, DATA_DIR: folder.path, PORT: String(port) },
      })
      while (!(await isHealthy(port))) {
        if (performance.now() - startedAt > 10_000) throw new Error('it does not get healthy')
        await Bun.sleep(2)
      }
      starts.push(performance.now() - startedAt)
      child.kill('SIGTERM')
      await child.exited
    }
  } finally {
    removeFolder(folder)
  }
  console.log(
    `cold start to healthy          median ${median(starts).toFixed(0)} ms  (${starts.map(ms => ms.toFixed(0)).join(' ')})`,
  )
  return median(starts)
}

async function isHealthy(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/api/health`)).ok
  } catch {
    return false
  }
}

if (import.meta.main) {
  const executable = process.argv[2] ?? join(import.meta.dir, '../dist/hub')
  await benchColdStart(executable, Number(process.argv[3] ?? 7))
}

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '@/base/config'
import { createLog } from '@/base/log'
import { createApp, realmsOf } from '@/domain/apps'
import { grantTokens } from '@/domain/users'
import { openHub } from '@/hub'

export type BenchFolder = { path: string; key: string; users: string[] }
export type BenchServer = { port: number; pid: number; stop(): Promise<void> }

const USERS = 100
const TOKENS = 1_000_000_000
const NO_LIMIT = 1_000_000

/** A migrated, seeded data folder with one app whose users never run out of tokens. */
export async function benchFolder(): Promise<BenchFolder> {
  const path = mkdtempSync(join(tmpdir(), 'hub-bench-'))
  const hub = await openHub({
    config: readConfig({ DATA_DIR: path }),
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
  const shell = { kind: 'shell', id: 'bench' } as const
  const app = await createApp(hub.deps, shell, {
    name: 'Bench',
    slug: 'bench',
    rateLimitPerUser: NO_LIMIT,
    rateLimitPerApp: NO_LIMIT,
  })
  const realm = realmsOf(hub.deps.db, app.app.id).test
  const users = Array.from({ length: USERS }, (_, index) => `user-${index}`)
  for (const externalId of users) {
    await grantTokens(hub.deps, shell, realm, {
      externalId,
      amount: TOKENS,
      reason: 'bench',
      type: 'GRANT',
      idempotency: null,
    })
  }
  // Each request of a bench passes a limit that counts a minute, so the window must not end the run.
  hub.deps.db.sqlite.run(
    'UPDATE apps SET rate_limit_per_user = 1000000000, rate_limit_per_app = 1000000000',
  )
  hub.deps.db.sqlite.run('PRAGMA wal_checkpoint(TRUNCATE)')
  await hub.close()
  return { path, key: app.testApiKey, users }
}

export function removeFolder(folder: BenchFolder): void {
  rmSync(folder.path, { recursive: true, force: true })
}

/** Starts a server program of this folder and waits for the port that it prints. */
export async function startBenchServer(
  program: string,
  folder: BenchFolder,
  env: Record<string, string> = {},
): Promise<BenchServer> {
  const child = Bun.spawn(['bun', join(import.meta.dir, program), folder.path], {
    stdout: 'pipe',
    stderr: 'inherit',
    env: { ...process.env, ...env },
  })
  const first = await child.stdout.getReader().read()
  const port = Number(new TextDecoder().decode(first.value).trim())
  if (!port) throw new Error(`${program} did not start`)
  return {
    port,
    pid: child.pid,
    async stop() {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

/** CPU milliseconds that a process has used, user and system, all threads. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}

export function residentMb(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  return (pages * 4096) / 1024 / 1024
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

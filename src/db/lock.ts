import { Database } from 'bun:sqlite'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

/** Who has the data folder, for the sentence that the second process prints. */
export type Holder = { pid: number; host: string; command: string; since: string }
export type Lock = { release(): void }

export class FolderInUse extends Error {
  override readonly name = 'FolderInUse'
}

/** A rolling restart hands over within this. */
const WAIT_MS = 30_000
const RETRY_MS = 100

/**
 * One server for a data folder. The lock is an open BEGIN EXCLUSIVE on a second SQLite file: the kernel
 * frees it even after `kill -9`, and no stale pid file can lie.
 */
export async function takeLock(
  dataDir: string,
  command: string,
  options: { waitMs?: number; isoNow: () => string; sleep?: (ms: number) => Promise<void> },
): Promise<Lock> {
  const waitMs = options.waitMs ?? WAIT_MS
  const sleep = options.sleep ?? Bun.sleep
  for (let waited = 0; ; waited += RETRY_MS) {
    const lock = tryLock(dataDir)
    if (lock) {
      const holder: Holder = {
        pid: process.pid,
        host: hostname(),
        command,
        since: options.isoNow(),
      }
      writeFileSync(holderPath(dataDir), `${JSON.stringify(holder)}\n`)
      return lock
    }
    if (waited >= waitMs) throw new FolderInUse(sentence(dataDir))
    await sleep(RETRY_MS)
  }
}

function tryLock(dataDir: string): Lock | null {
  const file = new Database(join(dataDir, 'hub.lock'), { create: true, strict: true })
  try {
    file.run('PRAGMA busy_timeout = 0')
    file.run('PRAGMA journal_mode = DELETE')
    file.run('BEGIN EXCLUSIVE')
    return { release: () => file.close(false) }
  } catch (error) {
    file.close(false)
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY')) {
      return null
    }
    throw error
  }
}

function sentence(dataDir: string): string {
  const path = holderPath(dataDir)
  if (!existsSync(path)) return `another process uses ${dataDir}; stop it first`
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as Holder
    return `${dataDir} is in use by \`hub ${holder.command}\` (pid ${holder.pid} on ${holder.host}, since ${holder.since}); stop it first`
  } catch {
    return `another process uses ${dataDir}; stop it first`
  }
}

function holderPath(dataDir: string): string {
  return join(dataDir, 'hub.lock.json')
}

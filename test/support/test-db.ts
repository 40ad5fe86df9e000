import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '@/base/clock'
import { createLog, type Log } from '@/base/log'
import { migrate } from '@/db/migrate'
import { type Db, openDb } from '@/db/open'

export type TestLog = Log & { lines(): Record<string, unknown>[]; text(): string }

/** A log that keeps its lines, so that a test can prove what is in it and what is not. */
export function testLog(): TestLog {
  let text = ''
  const log = createLog({ level: 'debug', wall: () => 0, write: more => (text += more) })
  const read = () => {
    log.flush()
    return text
  }
  const lines = () =>
    read()
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Record<string, unknown>)
  return Object.assign(log, { text: read, lines })
}

const PREFIX = 'hub-test-'
let root: string | null = null

/** A folder of its own, below one that the next run removes: a test process has no sure moment of its end. */
export function temporaryFolder(): string {
  if (root === null) {
    removeLeftOver()
    root = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
  }
  return mkdtempSync(join(root, 'f-'))
}

function removeLeftOver() {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PREFIX)
      ? Number.parseInt(name.slice(PREFIX.length), 10)
      : Number.NaN
    if (!Number.isNaN(pid) && !isAlive(pid)) {
      rmSync(join(tmpdir(), name), { recursive: true, force: true })
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

let template: string | null = null

/** A real, migrated database file of its own. The migrated file is made once and copied. */
export function testDb(
  options: { clock?: Clock; log?: Log; folder?: string; onFatal?: (error: unknown) => void } = {},
): Db {
  template ??= makeTemplate()
  const path = join(options.folder ?? temporaryFolder(), 'hub.db')
  copyFileSync(template, path)
  return openTestDb(path, options)
}

export function openTestDb(
  path: string,
  options: {
    clock?: Clock
    log?: Log
    onFatal?: (error: unknown) => void
    busyTimeoutMs?: number
  } = {},
): Db {
  return openDb({
    path,
    clock: options.clock ?? systemClock(),
    log: options.log ?? testLog(),
    busyTimeoutMs: options.busyTimeoutMs ?? 0,
    onFatal:
      options.onFatal ??
      (error => {
        throw error
      }),
  })
}

function makeTemplate(): string {
  const path = join(temporaryFolder(), 'template.db')
  const db = openTestDb(path)
  migrate(db)
  db.sqlite.run('UPDATE hub SET last_id = 0, last_ms = 0')
  db.sqlite.run('PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
  return path
}

import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DAY, isoSeconds } from '@/base/clock'
import type { Config } from '@/base/config'
import type { Deps } from '@/deps'
import { listApps } from '@/domain/apps'
import { verify } from '@/domain/ledger'
import type { Command, Context } from './command'
import { providerFindings } from './doctor-providers'
import { readOptions } from './options'

/** One thing looked at. `fix` says what to do when it is not well. */
export type Finding = {
  check: string
  state: 'ok' | 'warning' | 'problem'
  detail: string
  fix?: string
}

const PUT_BACK = 'stop the server and put back your last copy'
const LEAST_FREE_BYTES = 1024 ** 3
/** When this was written: a clock before it is wrong. */
const EARLIEST_MS = Date.UTC(2026, 0, 1)

export const doctorCommand: Command = {
  name: 'doctor',
  usage: 'hub doctor [--json]',
  summary: 'Say what is wrong and how to mend it',
  async run(context) {
    const { values } = readOptions(context.args, { json: { type: 'boolean' } }, 0)
    const findings = await examine(context)
    const isWell = findings.every(finding => finding.state !== 'problem')
    if (values.json) context.out(JSON.stringify({ ok: isWell, findings }))
    else for (const finding of findings) context.out(line(finding))
    return isWell ? 0 : 1
  },
}

async function examine(context: Context): Promise<Finding[]> {
  const { config } = context
  const findings = [folder(config), disk(config), publicUrl(config)]
  if (!existsSync(join(config.dataDir, 'hub.db'))) {
    const fix = 'start the server once: `bun start`'
    return [...findings, { check: 'database', state: 'problem', detail: 'there is none yet', fix }]
  }
  try {
    const hub = await context.openHub()
    try {
      return [...findings, ...inside(hub.deps, config)]
    } finally {
      await hub.close()
    }
  } catch (error) {
    // What stops the server stops us too, and its sentence says how to mend it.
    const detail = error instanceof Error ? error.message : String(error)
    const finding: Finding = { check: 'database', state: 'problem', detail }
    return [...findings, isDamage(error) ? { ...finding, fix: PUT_BACK } : finding]
  }
}

function isDamage(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')
}

function inside(deps: Deps, config: Config): Finding[] {
  return [
    secretKey(config),
    clock(deps),
    integrity(deps),
    ledger(deps),
    apps(deps),
    ...providerFindings(deps),
    ...config.notYetUsed.map(
      (name): Finding => ({
        check: 'environment',
        state: 'warning',
        detail: `${name} is set, but this version does not use it yet`,
      }),
    ),
  ]
}

function folder({ dataDir }: Config): Finding {
  const check = 'data folder'
  try {
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
    return { check, state: 'ok', detail: dataDir }
  } catch {
    const fix = `make it and give it to this user, or set DATA_DIR`
    return { check, state: 'problem', detail: `${dataDir} is missing or not writable`, fix }
  }
}

function disk({ dataDir }: Config): Finding {
  const check = 'disk space'
  try {
    const { bavail, bsize } = statfsSync(dataDir)
    const free = bavail * bsize
    const detail = `${(free / 1024 ** 3).toFixed(1)} GB free`
    if (free >= LEAST_FREE_BYTES) return { check, state: 'ok', detail }
    return { check, state: 'problem', detail, fix: 'free space: a full disk refuses every new job' }
  } catch {
    return { check, state: 'warning', detail: 'cannot be read' }
  }
}

function publicUrl({ publicUrl }: Config): Finding {
  const check = 'public address'
  if (publicUrl?.startsWith('https://')) return { check, state: 'ok', detail: publicUrl }
  return {
    check,
    state: 'warning',
    detail: publicUrl
      ? `${publicUrl} is plain http, which phones refuse`
      : 'PUBLIC_URL is not set: links take the Host of each call, and webhooks say localhost',
    fix: 'set PUBLIC_URL to the https address that phones use',
  }
}

function secretKey(config: Config): Finding {
  const check = 'secret key'
  if (config.secretKey)
    return { check, state: 'ok', detail: 'from SECRET_KEY, and it opens this database' }
  const path = join(config.dataDir, 'secret.key')
  const isPrivate = (statSync(path).mode & 0o077) === 0
  if (isPrivate) return { check, state: 'ok', detail: `${path}, and it opens this database` }
  return {
    check,
    state: 'problem',
    detail: `${path} can be read by others`,
    fix: `chmod 600 ${path}`,
  }
}

function clock(deps: Deps): Finding {
  const check = 'clock'
  const wall = deps.clock.wall()
  const { last_ms } = deps.db.sqlite.query('SELECT last_ms FROM hub').get() as { last_ms: number }
  const detail = `${isoSeconds(wall)}; the newest row is of ${isoSeconds(last_ms)}`
  if (wall >= EARLIEST_MS && last_ms - wall < DAY) return { check, state: 'ok', detail }
  return { check, state: 'problem', detail, fix: 'set the clock of this machine (NTP)' }
}

function integrity(deps: Deps): Finding {
  const check = 'database integrity'
  const rows = deps.db.sqlite.query('PRAGMA integrity_check').all() as { integrity_check: string }[]
  const orphans = deps.db.sqlite.query('PRAGMA foreign_key_check').all()
  if (rows[0]?.integrity_check === 'ok' && orphans.length === 0) {
    return { check, state: 'ok', detail: 'every page and every reference is sound' }
  }
  const detail =
    rows[0]?.integrity_check === 'ok' ? `${orphans.length} broken references` : 'damaged pages'
  return { check, state: 'problem', detail, fix: PUT_BACK }
}

function ledger(deps: Deps): Finding {
  const differences = verify(deps.db)
  if (differences.length === 0) return { check: 'ledger', state: 'ok', detail: 'it adds up' }
  return {
    check: 'ledger',
    state: 'problem',
    detail: `${differences.length} differences`,
    fix: '`hub ledger verify` names them; please report this as a bug',
  }
}

function apps(deps: Deps): Finding {
  const { length } = listApps(deps.db)
  if (length > 0) return { check: 'apps', state: 'ok', detail: `${length}` }
  const fix = 'hub apps create --name "My App" --slug my-app'
  return { check: 'apps', state: 'warning', detail: 'there is none, so no key works yet', fix }
}

const SIGNS = { ok: 'ok      ', warning: 'warning ', problem: 'PROBLEM ' }

function line({ check, state, detail, fix }: Finding): string {
  const mend = state !== 'ok' && fix ? `\n         -> ${fix}` : ''
  return `${SIGNS[state]} ${check}: ${detail}${mend}`
}

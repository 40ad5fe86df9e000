/**
 * What money costs in time: accepting jobs of users with three buckets, a plan and four caps, against users
 * with none of that; then a budget of the app and one of the hub beside. `bun bench/limits.ts [--rounds 7]
 * [--ms 1500]`. All servers are up at once and measured in turn; a ratio is the median of paired rounds.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '@/base/config'
import { createLog } from '@/base/log'
import { write } from '@/db/write'
import { changeApp, createApp, realmsOf } from '@/domain/apps'
import { grant } from '@/domain/ledger'
import { createPlan, setDefaultPlan } from '@/domain/plans'
import { ensure } from '@/domain/users'
import { openHub } from '@/hub'
import { measure, type Pair, paired } from './generate'
import { httpRequest } from './load'
import { type BenchFolder, median, removeFolder, startBenchServer } from './servers'

const MODEL = 'flux-schnell'
const USERS = 100
const TOKENS = 1_000_000_000
const ROOMY = 1_000_000_000_000
const BODY = JSON.stringify({ model: MODEL, input: { prompt: 'A futuristic city at sunset' } })
const SHELL = { kind: 'shell', id: 'bench' } as const

/** `bare`: plain tokens only. `limited`: buckets, plan and caps. `budgeted`: budgets beside. */
type Wealth = 'bare' | 'limited' | 'budgeted'

async function prepare(wealth: Wealth): Promise<BenchFolder> {
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
  const { deps } = hub
  const { app, apiKey } = await createApp(deps, SHELL, { name: 'Bench', slug: 'bench' })
  const realm = realmsOf(deps.db, app.id).live
  const users = Array.from({ length: USERS }, (_, index) => `user-${index}`)
  if (wealth !== 'bare') {
    const none = {
      template: 'free',
      tokensPerPeriod: 0,
      maxConcurrent: null,
      strategy: null,
    } as const
    await createPlan(deps, SHELL, realm, {
      ...none,
      name: 'bench',
      jobsPerDay: 1_000_000,
      tokensPerDay: ROOMY,
      tokensPerMonth: ROOMY,
      microUsdPerDay: ROOMY,
    })
    await setDefaultPlan(deps, SHELL, realm, 'bench')
  }
  if (wealth === 'budgeted') {
    await changeApp(deps, SHELL, app.slug, { monthlyBudgetMicroUsd: ROOMY })
  }
  for (const externalId of users) {
    await write(deps.db, tx => {
      const { user } = ensure(tx, deps.secrets, { realm, externalId, mayHaveWelcomeGrant: false })
      const to = {
        realmId: realm.id,
        userId: user.id,
        type: 'GRANT',
        description: 'bench',
      } as const
      grant(tx, { ...to, amount: TOKENS })
      if (wealth === 'bare') return
      // The first two are worn out in the course of the bench, as in life.
      for (const [days, amount] of [
        [1, 20],
        [2, 200],
        [3, TOKENS],
      ] as const) {
        grant(tx, { ...to, amount, origin: 'bonus', expiresAt: tx.now + days * 86_400_000 })
      }
    })
  }
  await write(deps.db, tx => {
    tx.db.sqlite.run(
      `INSERT INTO providers (id, name, display_name, is_enabled, created_at, updated_at)
       VALUES (?1, 'bench', 'bench', 1, ?2, ?2)`,
      [tx.id(), tx.now],
    )
    tx.db.sqlite.run(
      `INSERT INTO model_routes (id, model_id, provider_id, provider_model, priority, config, is_enabled,
         created_at, updated_at)
       SELECT ?1, m.id, p.id, m.name, 0, '{"cost":{"per_output":1000}}', 1, ?2, ?2
       FROM models m, providers p WHERE m.name = ?3 AND p.name = 'bench'`,
      [tx.id(), tx.now, MODEL],
    )
  })
  deps.db.sqlite.run(
    'UPDATE apps SET rate_limit_per_user = 1000000000, rate_limit_per_app = 1000000000',
  )
  deps.db.sqlite.run('PRAGMA wal_checkpoint(TRUNCATE)')
  await hub.close()
  return { path, key: apiKey, users }
}

function requestsOf(folder: BenchFolder) {
  const requests = folder.users.map(user =>
    httpRequest(
      'POST',
      '/api/v1/generate',
      { 'x-api-key': folder.key, 'x-user-id': user, 'content-type': 'application/json' },
      BODY,
    ),
  )
  return (connection: number, sequence: number) =>
    requests[(connection * 7 + sequence) % requests.length] ?? ''
}

function report(label: string, pairs: Pair[]): number {
  const ratio = median(pairs.map(pair => pair.ratio))
  const rounds = pairs.map(pair => pair.ratio.toFixed(2)).join(' ')
  console.log(`${label.padEnd(40)} ratio ${ratio.toFixed(2)}   (rounds ${rounds})`)
  for (const [name, side] of [
    ['with', 'product'],
    ['without', 'limit'],
  ] as const) {
    const sides = pairs.map(pair => pair[side])
    const perSecond = median(sides.map(one => one.perSecond)).toFixed(0)
    const cpu = median(sides.map(one => one.cpuMs)).toFixed(3)
    const p99 = median(sides.map(one => one.p99)).toFixed(1)
    console.log(`  ${name.padEnd(8)} ${perSecond.padStart(6)}/s  ${cpu} CPU ms  p99 ${p99}`)
  }
  return ratio
}

/** Ratios by what was measured. */
export async function benchLimits(
  rounds: number,
  durationMs: number,
): Promise<Record<string, number>> {
  const ratios: Record<string, number> = {}
  for (const runner of ['paused', 'on'] as const) {
    const sides = await Promise.all(
      (['bare', 'limited', 'budgeted'] as const).map(async wealth => {
        const folder = await prepare(wealth)
        const budget = wealth === 'budgeted' ? { MONTHLY_BUDGET_USD: '1000000' } : {}
        const server = await startBenchServer('limits-server.ts', folder, {
          RUNNER: runner,
          ...budget,
        })
        return { wealth, folder, server, request: requestsOf(folder) }
      }),
    )
    const [bare, ...others] = sides
    if (!bare) throw new Error('there is one without')
    const options = { connections: 64, durationMs, expect: 202 }
    try {
      for (const other of others) {
        const pairs = await paired(
          rounds,
          () => measure(other.server, other.request, options),
          () => measure(bare.server, bare.request, options),
        )
        const label = `${other.wealth}, runner ${runner}, 64 conn`
        ratios[label] = report(label, pairs)
      }
    } finally {
      for (const { server, folder } of sides) {
        await server.stop()
        removeFolder(folder)
      }
    }
  }
  return ratios
}

if (import.meta.main) {
  const option = (name: string, fallback: number) => {
    const at = process.argv.indexOf(`--${name}`)
    return at === -1 ? fallback : Number(process.argv[at + 1])
  }
  await benchLimits(option('rounds', 7), option('ms', 1_500))
}

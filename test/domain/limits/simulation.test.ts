import { afterEach, expect, test } from 'bun:test'
import {
  closeStages,
  MODEL,
  rows,
  run,
  runOut,
  type Stage,
  stage,
  submit,
  TEXT_MODEL,
} from '@test/domain/jobs/stage'
import {
  bytes,
  doneAt,
  failure,
  pending,
  pendingForEver,
  picture,
  type Script,
} from '@test/support/fake-provider'
import { expectLedgerInOrder } from '@test/support/test-hub'
import { HOUR } from '@/base/clock'
import { AppError } from '@/base/errors'
import type { JobId } from '@/base/ids'
import { write } from '@/db/write'
import { bookLate, cancel } from '@/domain/jobs'
import {
  ACTOR,
  counters,
  expectCountersInOrder,
  givePlan,
  OUTPUT_MICRO_USD,
  setApp,
  setCost,
} from './rig'

afterEach(closeStages)

/** Each is a life of some days of a few users who try everything at once. */
const SEEDS = 12
const STEPS = 100
const USERS = ['ann', 'bob', 'cat']

test('counters come back to exactly what the ended jobs did use, whatever happened to them', async () => {
  const seen: Record<string, number> = {}
  for (let seed = 1; seed <= SEEDS; seed++) await live(seed, seen)
  // A simulation in which something never happens proves nothing of it.
  for (const what of [
    'succeeded',
    'failed',
    'cancelled',
    'partial',
    'late',
    'concurrency_limit',
    'daily_limit',
    'spend_limit',
    'budget_exceeded',
  ]) {
    expect(seen[what] ?? 0, what).toBeGreaterThan(5)
  }
}, 120_000)

async function live(seed: number, seen: Record<string, number>): Promise<void> {
  const random = randomOf(seed)
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
  const note = (what: string) => {
    seen[what] = (seen[what] ?? 0) + 1
  }
  const on = await stage({
    // Some hours before the end of a month.
    startMs: Date.parse('2026-01-31T20:00:00Z'),
    hub: { config: { monthlyBudgetMicroUsd: (seed % 2 === 0 ? 80 : 200) * OUTPUT_MICRO_USD } },
  })
  setCost(on)
  await givePlan(on, {
    maxConcurrent: 6,
    jobsPerDay: 14,
    tokensPerDay: 80,
    tokensPerMonth: 150,
    microUsdPerDay: 30 * OUTPUT_MICRO_USD,
    microUsdPerMonth: 60 * OUTPUT_MICRO_USD,
  })
  await setApp(on, { monthlyBudgetMicroUsd: (seed % 2 === 0 ? 200 : 80) * OUTPUT_MICRO_USD })

  const scriptOf = (): Script => {
    const cost = Math.floor(random() * 3 * OUTPUT_MICRO_USD) + 1
    const made = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, i) => bytes(picture(i)))
    switch (Math.floor(random() * 6)) {
      case 0:
        return doneAt(cost, ...made)
      case 1:
        return pending(2, doneAt(cost, ...made))
      case 2:
        return { start: 'fails', error: failure('rejected', { costMicroUsd: cost }) }
      case 3:
        return pending(1, failure('rejected'))
      case 4:
        return { start: 'fails', error: failure('unavailable') }
      default:
        return pendingForEver(60_000)
    }
  }

  for (let step = 0; step < STEPS; step++) {
    const active = rows<{ id: JobId }>(
      on,
      `SELECT id FROM jobs WHERE status IN ('queued', 'running')`,
    )
    const ended = rows<{ id: JobId; cost: number }>(
      on,
      `SELECT id, cost_micro_usd AS cost FROM jobs WHERE status NOT IN ('queued', 'running')`,
    )
    const dice = random()
    if (dice < 0.55) {
      on.provider.script(scriptOf())
      await Promise.all(
        Array.from({ length: 1 + Math.floor(random() * 4) }, () =>
          submit(on, {
            externalId: pick(USERS),
            model: pick([MODEL, MODEL, TEXT_MODEL]),
            input: { num_outputs: 1 + Math.floor(random() * 4) },
          }).catch(error => {
            if (!(error instanceof AppError)) throw error
            note(error.code)
          }),
        ),
      )
    } else if (dice < 0.7 && active.length > 0) {
      const scope = { realmId: on.realm.id, userId: null }
      // It may end a moment before.
      await cancel(on.deps, ACTOR, scope, pick(active).id, null).catch(() => {})
    } else if (dice < 0.75 && ended.length > 0) {
      const { id, cost } = pick(ended)
      note('late')
      await write(on.deps.db, tx => bookLate(tx, id, cost + Math.floor(random() * 5_000)))
    } else if (dice < 0.9) {
      await run(on)
    } else {
      on.clock.advance(Math.floor(random() * HOUR))
    }
    expectCountersInOrder(on)
  }
  await runOut(on)
  expectCountersInOrder(on)
  expectLedgerInOrder(on.deps)
  expect(countedOf(on)).toEqual(expectedOf(on, note))
  await on.close()
}

type EndedRow = {
  status: string
  tokens: number
  cost: number
  asked: number
  outputs: number
  at: number
}

/** By the jobs alone and the calendar, without a look at what they say that they took. */
function expectedOf(on: Stage, note: (what: string) => void): Record<string, number> {
  const sums: Record<string, number> = {}
  const jobs = rows<EndedRow & { user: number }>(
    on,
    `SELECT status, user_id AS user, tokens_charged - tokens_refunded AS tokens, cost_micro_usd AS cost,
       num_outputs AS asked, created_at AS at,
       (SELECT count(*) FROM job_outputs WHERE job_id = jobs.id) AS outputs
     FROM jobs`,
  )
  for (const job of jobs) {
    note(job.status)
    if (job.status === 'succeeded' && job.outputs < job.asked) note('partial')
    const date = new Date(job.at).toISOString()
    const [day, month] = [date.slice(0, 10), date.slice(0, 7)]
    const add = (key: string, amount: number) => {
      sums[key] = (sums[key] ?? 0) + amount
    }
    const ofUser = (name: string, amount: number) => add(`${name} of ${job.user}`, amount)
    ofUser(`jobs_day ${day}`, job.status === 'failed' ? 0 : 1)
    ofUser(`tokens_day ${day}`, job.tokens)
    ofUser(`tokens_month ${month}`, job.tokens)
    ofUser(`cost_day ${day}`, job.cost)
    ofUser(`cost_month ${month}`, job.cost)
    add(`app_budget ${month}`, job.cost)
    add(`hub_budget ${month}`, job.cost)
  }
  return Object.fromEntries(Object.entries(sums).filter(([, sum]) => sum !== 0))
}

function countedOf(on: Stage): Record<string, number> {
  const inUse = counters(on).filter(row => row.used !== 0)
  return Object.fromEntries(
    inUse.map(({ name, period, user_id, used }) => [
      `${name} ${period}${user_id === 0 ? '' : ` of ${user_id}`}`,
      used,
    ]),
  )
}

/** Mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

import { expect } from 'bun:test'
import { change, setConfig } from '@test/domain/generation/priced'
import { rows, type Stage } from '@test/domain/jobs/stage'
import type { Realm } from '@/deps'
import { type AppChange, changeApp, realmsOf } from '@/domain/apps'
import * as plans from '@/domain/plans'

export const ACTOR = { kind: 'shell', id: 'test' } as const
/** What an output costs us at the vendor of the stage, micro-USD. */
export const OUTPUT_MICRO_USD = 20_000

/** A plan with these limits and no others, for every user who has none. */
export async function givePlan(
  on: Pick<Stage, 'deps'> & { realm: Realm },
  limits: Partial<plans.NewPlan>,
  name = 'limited',
): Promise<void> {
  const none: plans.NewPlan = {
    template: 'free',
    name,
    tokensPerPeriod: 0,
    maxConcurrent: null,
    jobsPerDay: null,
    strategy: null,
  }
  await plans.createPlan(on.deps, ACTOR, on.realm, { ...none, ...limits })
  await plans.setDefaultPlan(on.deps, ACTOR, on.realm, name)
}

/** What each output of the stage's models costs at its first vendor. */
export function setCost(on: Stage, perOutput = OUTPUT_MICRO_USD): void {
  setConfig(on, on.provider.name, { cost: { per_output: perOutput } })
}

/** Changes the app of the stage; its realm, as a call would find it now, becomes the stage's. */
export async function setApp(on: Stage, to: AppChange): Promise<void> {
  const app = await changeApp(on.deps, ACTOR, on.app.app.slug, to)
  on.realm = realmsOf(on.deps.db, app.id).live
}

export type CounterRow = {
  realm_id: number
  user_id: number
  name: string
  period: string
  used: number
}

export function counters(on: Pick<Stage, 'deps'>): CounterRow[] {
  return rows<CounterRow>(on, 'SELECT * FROM counters ORDER BY name, period, user_id')
}

/** Name and period of each counter with what is used; those at 0 are left out. */
export function used(on: Pick<Stage, 'deps'>): Record<string, number> {
  const inUse = counters(on).filter(row => row.used !== 0)
  return Object.fromEntries(inUse.map(row => [`${row.name} ${row.period}`, row.used]))
}

type JobRow = { realm_id: number; user_id: number; taken: string | null }

/** Every counter is the sum of what the jobs say that they took of it, to the last token and micro-USD. */
export function expectCountersInOrder(on: Pick<Stage, 'deps'>): void {
  const sums = new Map<string, number>()
  for (const job of rows<JobRow>(on, 'SELECT realm_id, user_id, taken FROM jobs')) {
    for (const [name, period, amount] of JSON.parse(job.taken ?? '[]') as [
      string,
      string,
      number,
    ][]) {
      const realm = name === 'hub_budget' ? 0 : job.realm_id
      const user = name.endsWith('_budget') ? 0 : job.user_id
      const key = `${realm} ${user} ${name} ${period}`
      sums.set(key, (sums.get(key) ?? 0) + amount)
    }
  }
  const found = new Map(
    counters(on).map(row => [`${row.realm_id} ${row.user_id} ${row.name} ${row.period}`, row.used]),
  )
  const differences = [...new Set([...sums.keys(), ...found.keys()])]
    .map(key => ({ key, jobs: sums.get(key) ?? 0, counter: found.get(key) ?? 0 }))
    .filter(({ jobs, counter }) => jobs !== counter)
  expect(differences).toEqual([])
}

export { change }

/** The code of the refusal, and its fields. */
export async function refusal(act: Promise<unknown>): Promise<Record<string, unknown>> {
  const error = await act.then(
    () => null,
    thrown => thrown,
  )
  if (!error) return { code: null }
  return { code: error.code, ...error.detail }
}

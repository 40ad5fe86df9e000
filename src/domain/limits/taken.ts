import { z } from 'zod'
import type { RealmId, UserId } from '@/base/ids'
import type { Counter } from './counters'

/** Counters of one user, and at the end those of all of the app's live users and of the whole hub. */
const NAMES = [
  'jobs_day',
  'tokens_day',
  'tokens_month',
  'cost_day',
  'cost_month',
  'app_budget',
  'hub_budget',
] as const
export type Name = (typeof NAMES)[number]

/** What of these is money: worst cost while the job runs, and then what it did cost. */
const IN_MONEY: ReadonlySet<Name> = new Set(['cost_day', 'cost_month', 'app_budget', 'hub_budget'])

const Part = z.tuple([z.enum(NAMES), z.string(), z.int().min(0)])

/** One counter, the period in which it was taken from, and how much of it this job stands for now. */
export type Part = [name: Name, period: string, amount: number]

/**
 * What one job stands for in all counters together, kept on the job. So at any time a counter is the sum of
 * what jobs say of it, and is given back to the very window that it was taken from.
 */
export type Taken = Part[]

export function readTaken(text: string | null): Taken | null {
  return text === null ? null : z.array(Part).parse(JSON.parse(text))
}

export function writeTaken(taken: Taken | null): string | null {
  return taken === null ? null : JSON.stringify(taken)
}

export function isInMoney(name: Name): boolean {
  return IN_MONEY.has(name)
}

export type Where = { realmId: RealmId; userId: UserId }

export function counterOf({ realmId, userId }: Where, name: Name, period: string): Counter {
  if (name === 'hub_budget') return { realmId: 0, userId: 0, name, period }
  if (name === 'app_budget') return { realmId, userId: 0, name, period }
  return { realmId, userId, name, period }
}

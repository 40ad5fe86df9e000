import { z } from 'zod'
import type { PlanId, RealmId } from '@/base/ids'
import type { Db } from '@/db/open'
import type { Period } from '@/db/schema'
import { query } from '@/db/statements'
import type { Tx } from '@/db/write'
import { isStrategy, type Strategy } from '@/domain/routing'

/** What a plan is made of, beside its name. A limit that is null is none. */
export type PlanFields = {
  displayName: string
  tokensPerPeriod: number
  period: Period
  isRollover: boolean
  maxConcurrent: number | null
  jobsPerDay: number | null
  tokensPerDay: number | null
  tokensPerMonth: number | null
  microUsdPerDay: number | null
  microUsdPerMonth: number | null
  /** Names of the catalogue; null: all. */
  models: string[] | null
  /** Kinds of jobs; null: all. */
  kinds: string[] | null
  strategy: Strategy | null
  /** 1 (first) to 100; null: as the job asks. */
  priority: number | null
  hasWatermark: boolean
  maxUploadBytes: number | null
  /** False: whoever has it keeps it, and nobody new gets it. */
  isEnabled: boolean
}

export type Plan = PlanFields & {
  id: PlanId
  realmId: RealmId
  name: string
  createdAt: number
  updatedAt: number
}

type Row = Omit<
  Plan,
  'isRollover' | 'models' | 'kinds' | 'strategy' | 'hasWatermark' | 'isEnabled'
> & {
  isRollover: 0 | 1
  models: string | null
  kinds: string | null
  strategy: string | null
  hasWatermark: 0 | 1
  isEnabled: 0 | 1
}

const COLUMNS = `id, realm_id AS realmId, name, display_name AS displayName,
  tokens_per_period AS tokensPerPeriod, period, is_rollover AS isRollover, max_concurrent AS maxConcurrent,
  jobs_per_day AS jobsPerDay, tokens_per_day AS tokensPerDay, tokens_per_month AS tokensPerMonth,
  micro_usd_per_day AS microUsdPerDay, micro_usd_per_month AS microUsdPerMonth, models, kinds, strategy,
  priority, has_watermark AS hasWatermark, max_upload_bytes AS maxUploadBytes, is_enabled AS isEnabled,
  created_at AS createdAt, updated_at AS updatedAt`

const byId = query<{ id: number }, Row>(`SELECT ${COLUMNS} FROM plans WHERE id = $id`)
const byName = query<{ realmId: number; name: string }, Row>(
  `SELECT ${COLUMNS} FROM plans WHERE realm_id = $realmId AND name = $name`,
)
const inOrder = query<{ realmId: number }, Row>(
  `SELECT ${COLUMNS} FROM plans WHERE realm_id = $realmId ORDER BY name`,
)
const defaultOf = query<{ realmId: number }, { id: PlanId | null }>(
  'SELECT default_plan_id AS id FROM realms WHERE id = $realmId',
)

export function findPlan(from: Db | Tx, realmId: RealmId, name: string): Plan | null {
  const row = byName.get(from, { realmId, name })
  return row && read(row)
}

/** For ids out of our own rows, which lead to a plan of the same realm. */
export function planById(from: Db | Tx, id: PlanId): Plan | null {
  const row = byId.get(from, { id })
  return row && read(row)
}

/** All of a realm, newest first: they are few, see MAX_PLANS. */
export function listPlans(from: Db | Tx, realmId: RealmId): Plan[] {
  return inOrder
    .all(from, { realmId })
    .map(read)
    .toSorted((a, b) => b.id - a.id)
}

/** The plan of users who have no subscription; null: none, and no limits of one. */
export function defaultPlanOf(from: Db | Tx, realmId: RealmId): Plan | null {
  const id = defaultOf.get(from, { realmId })?.id ?? null
  return id === null ? null : planById(from, id)
}

const Words = z.array(z.string())

function read(row: Row): Plan {
  return {
    ...row,
    isRollover: row.isRollover === 1,
    models: row.models === null ? null : Words.parse(JSON.parse(row.models)),
    kinds: row.kinds === null ? null : Words.parse(JSON.parse(row.kinds)),
    strategy: row.strategy !== null && isStrategy(row.strategy) ? row.strategy : null,
    hasWatermark: row.hasWatermark === 1,
    isEnabled: row.isEnabled === 1,
  }
}

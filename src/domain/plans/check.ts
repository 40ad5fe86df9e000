import { AppError, type InputProblem } from '@/base/errors'
import { PERIODS } from '@/db/schema'
import type { Tx } from '@/db/write'
import { findEveryModel, listEveryModel } from '@/domain/catalog'
import { isStrategy, STRATEGIES } from '@/domain/routing'
import type { PlanFields } from './find'

/**
 * The least and the most of each number, under the name that callers write. Far above what anybody sells,
 * and so low that no sum over the life of a user leaves the whole numbers.
 */
export const PLAN_NUMBERS = {
  tokens_per_period: { field: 'tokensPerPeriod', min: 0, max: 1_000_000_000, mayBeNull: false },
  max_concurrent: { field: 'maxConcurrent', min: 1, max: 10_000, mayBeNull: true },
  jobs_per_day: { field: 'jobsPerDay', min: 0, max: 1_000_000, mayBeNull: true },
  tokens_per_day: { field: 'tokensPerDay', min: 0, max: 1_000_000_000_000, mayBeNull: true },
  tokens_per_month: { field: 'tokensPerMonth', min: 0, max: 1_000_000_000_000, mayBeNull: true },
  micro_usd_per_day: { field: 'microUsdPerDay', min: 0, max: 1_000_000_000_000, mayBeNull: true },
  micro_usd_per_month: {
    field: 'microUsdPerMonth',
    min: 0,
    max: 1_000_000_000_000,
    mayBeNull: true,
  },
  priority: { field: 'priority', min: 1, max: 100, mayBeNull: true },
  max_upload_bytes: { field: 'maxUploadBytes', min: 1, max: 10_737_418_240, mayBeNull: true },
} as const satisfies Record<
  string,
  { field: keyof PlanFields; min: number; max: number; mayBeNull: boolean }
>

/** Also words of the paths, so no plan has them for a name. */
const TAKEN_NAMES = new Set(['default', 'templates'])
const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/
export const MAX_DISPLAY_NAME = 100
/** The catalogue has less than half as many. */
export const MAX_LISTED = 200

/** Throws 400 with every field that is wrong, as callers write it. */
export function checkPlan(tx: Tx, name: string, plan: PlanFields): void {
  const problems = [
    ...nameProblems(name, plan),
    ...numberProblems(plan),
    ...listProblems('models', plan.models, model => findEveryModel(tx, model) !== null),
    ...listProblems('kinds', plan.kinds, kind =>
      listEveryModel(tx.db).some(model => model.kind === kind),
    ),
  ]
  if (!PERIODS.includes(plan.period)) {
    problems.push({ path: 'period', message: `must be one of ${PERIODS.join(', ')}` })
  }
  if (plan.strategy !== null && !isStrategy(plan.strategy)) {
    problems.push({ path: 'strategy', message: `must be one of ${STRATEGIES.join(', ')}` })
  }
  if (problems.length > 0) throw new AppError('invalid_input', { detail: { details: problems } })
}

function nameProblems(name: string, { displayName }: PlanFields): InputProblem[] {
  const problems: InputProblem[] = []
  if (!NAME.test(name) || TAKEN_NAMES.has(name)) {
    const message = 'must be 1 to 64 of a-z 0-9 - _, and neither `default` nor `templates`'
    problems.push({ path: 'name', message })
  }
  if (displayName.length < 1 || displayName.length > MAX_DISPLAY_NAME) {
    problems.push({ path: 'display_name', message: `must be 1 to ${MAX_DISPLAY_NAME} characters` })
  }
  return problems
}

function numberProblems(plan: PlanFields): InputProblem[] {
  return Object.entries(PLAN_NUMBERS).flatMap(([path, { field, min, max, mayBeNull }]) => {
    const value = plan[field]
    if (value === null && mayBeNull) return []
    if (value !== null && Number.isSafeInteger(value) && value >= min && value <= max) return []
    return [{ path, message: `must be a whole number from ${min} to ${max}` }]
  })
}

function listProblems(
  path: string,
  words: string[] | null,
  exists: (word: string) => boolean,
): InputProblem[] {
  if (words === null) return []
  if (words.length === 0) return [{ path, message: 'must name at least one, or be null for all' }]
  if (words.length > MAX_LISTED) return [{ path, message: `must name at most ${MAX_LISTED}` }]
  return words.flatMap((word, at) => {
    if (words.indexOf(word) !== at) return [{ path: `${path}.${at}`, message: 'is there twice' }]
    if (exists(word)) return []
    return [{ path: `${path}.${at}`, message: 'is not in the catalogue' }]
  })
}

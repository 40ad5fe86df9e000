import { and, desc, eq, inArray, lt, sql } from 'drizzle-orm'
import type { JobId } from '@/base/ids'
import { type JobStatus, jobs } from '@/db/schema'
import type { Deps } from '@/deps'
import { type JobView, rawJob, type Scope, viewOf } from './find'

export type JobFilter = { statuses: JobStatus[]; model: string | null }
export type JobPage = {
  jobs: JobView[]
  /** Where the next page begins; null when this was the last. */
  next: JobId | null
}

/** A filter without an index of its own walks at most so many rows, and then hands back a cursor. */
const WALK_MAX = 2_000
const ACTIVE: JobStatus[] = ['queued', 'running']
const ENDED_BADLY: JobStatus[] = ['failed', 'cancelled']

/** Newest first, older than `before`. A page may be short, even empty, and still have a next one. */
export function listJobs(
  deps: Deps,
  scope: Scope,
  filter: JobFilter,
  page: { before: number; limit: number },
): JobPage {
  const { ids, next } = isIndexed(scope, filter)
    ? indexed(deps, scope, filter, page)
    : walked(deps, scope, filter, page)
  const views = ids.flatMap(id => {
    const job = rawJob(deps.db, scope, id)
    return job ? [viewOf(deps, job)] : []
  })
  return { jobs: views, next }
}

type Ids = { ids: JobId[]; next: JobId | null }

/** No filter at all, or a set of states that a partial index holds for this scope. */
function isIndexed(scope: Scope, { statuses, model }: JobFilter): boolean {
  if (model !== null) return false
  if (statuses.length === 0 || isWithin(statuses, ACTIVE)) return true
  return scope.userId === null && isWithin(statuses, ENDED_BADLY)
}

function indexed(
  deps: Deps,
  scope: Scope,
  filter: JobFilter,
  page: { before: number; limit: number },
): Ids {
  const { statuses } = filter
  const rows = deps.db.orm
    .select({ id: jobs.id })
    .from(jobs)
    .where(
      and(
        inScope(scope),
        lt(jobs.id, page.before as JobId),
        // The literal list lets SQLite see that the partial index applies.
        statuses.length === 0 ? undefined : isWithin(statuses, ACTIVE) ? IS_ACTIVE : IS_ENDED_BADLY,
        // A state may be named twice.
        new Set(statuses).size === 1 ? inArray(jobs.status, statuses) : undefined,
      ),
    )
    .orderBy(desc(jobs.id))
    .limit(page.limit + 1)
    .all()
  return cut(
    rows.map(row => row.id),
    page.limit,
  )
}

function walked(
  deps: Deps,
  scope: Scope,
  filter: JobFilter,
  page: { before: number; limit: number },
): Ids {
  const rows = deps.db.orm
    .select({ id: jobs.id, status: jobs.status, model: jobs.modelName })
    .from(jobs)
    .where(and(inScope(scope), lt(jobs.id, page.before as JobId)))
    .orderBy(desc(jobs.id))
    .limit(WALK_MAX)
    .all()
  const found = rows.filter(
    row =>
      (filter.statuses.length === 0 || filter.statuses.includes(row.status)) &&
      (filter.model === null || filter.model === row.model),
  )
  const { ids, next } = cut(
    found.map(row => row.id),
    page.limit,
  )
  const end = rows.length === WALK_MAX ? (rows.at(-1)?.id ?? null) : null
  return { ids, next: next ?? end }
}

const IS_ACTIVE = sql`${jobs.status} IN ('queued', 'running')`
const IS_ENDED_BADLY = sql`${jobs.status} IN ('failed', 'cancelled')`

/** A user belongs to one realm, and naming that too would let SQLite choose the index of the realm. */
function inScope(scope: Scope) {
  return scope.userId === null ? eq(jobs.realmId, scope.realmId) : eq(jobs.userId, scope.userId)
}

function cut(ids: JobId[], limit: number): Ids {
  const shown = ids.slice(0, limit)
  return { ids: shown, next: ids.length > limit ? (shown.at(-1) ?? null) : null }
}

function isWithin(statuses: JobStatus[], set: JobStatus[]): boolean {
  return statuses.every(status => set.includes(status))
}

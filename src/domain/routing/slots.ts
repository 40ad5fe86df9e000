import type { JobId, RouteId } from '@/base/ids'
import type { Db } from '@/db/open'
import type { Tx } from '@/db/write'
import { wake } from '@/queue/enqueue'

/**
 * Jobs that wait because every route that could serve them is full. In memory only: each of them also
 * looks by itself from time to time, so a line that is lost with the process costs seconds.
 */
type Slots = {
  lines: Map<number, Set<JobId>>
  /** Woken because a place was free, and not there yet: nobody else may take it. */
  called: Set<JobId>
}

const ofDb = new WeakMap<Db, Slots>()

/** The job stands in the line of each of these routes. */
export function standInLine(db: Db, job: JobId, routes: readonly number[]): void {
  const slots = slotsOf(db)
  slots.called.delete(job)
  for (const route of routes) {
    const line = slots.lines.get(route) ?? new Set()
    slots.lines.set(route, line.add(job))
  }
}

/** It goes elsewhere, or begins. */
export function leaveLines(db: Db, job: JobId): void {
  const slots = slotsOf(db)
  slots.called.delete(job)
  for (const [route, line] of slots.lines) {
    line.delete(job)
    if (line.size === 0) slots.lines.delete(route)
  }
  // Called ones that never came were cancelled; without a line nobody asks for them.
  if (slots.lines.size === 0) slots.called.clear()
}

/** How many must be let through before this job: none for one that stands in line, or was called. */
export function aheadOf(db: Db, job: JobId, route: number): number {
  const { lines, called } = slotsOf(db)
  const line = lines.get(route)
  return !line || called.has(job) || line.has(job) ? 0 : line.size
}

/** A place became free: wakes who has waited longest for it. */
export function callNext(tx: Tx, route: RouteId): void {
  const { lines, called } = slotsOf(tx.db)
  for (const job of lines.get(route) ?? []) {
    const isAwake = wake(tx, job)
    tx.after(() => {
      lines.get(route)?.delete(job)
      if (isAwake) called.add(job)
    })
    // One that was cancelled meanwhile, or is looking right now, leaves the place to the next.
    if (isAwake) return
  }
}

function slotsOf(db: Db): Slots {
  const known = ofDb.get(db)
  if (known) return known
  const made: Slots = { lines: new Map(), called: new Set() }
  ofDb.set(db, made)
  return made
}

import type { JobId, RouteId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import { wake } from '@/queue/enqueue'

/**
 * Jobs that wait because every route that could serve them is full. In a line the oldest job is the first,
 * whenever it came there, and it stays until it begins: nobody passes it who looks in between. In memory
 * only: each of them also looks by itself from time to time, so a line that is lost with the process costs
 * seconds.
 */
type Slots = {
  lines: Map<number, Set<JobId>>
  /** Woken because a place was free there, and not there yet. */
  called: Map<JobId, number>
}

const ofDb = new WeakMap<Db, Slots>()

const find = query<{ id: number }, { id: number }>('SELECT id FROM tasks WHERE id = $id')

/** The job stands in the line of each of these routes, and in no other. */
export function standInLine(db: Db, job: JobId, routes: readonly number[]): void {
  leaveLines(db, job)
  const { lines } = slotsOf(db)
  for (const route of routes) {
    const line = lines.get(route) ?? new Set()
    lines.set(route, line.add(job))
  }
}

/** It goes elsewhere, or begins. */
export function leaveLines(db: Db, job: JobId): void {
  const { lines, called } = slotsOf(db)
  called.delete(job)
  for (const [route, line] of lines) {
    line.delete(job)
    if (line.size === 0) lines.delete(route)
  }
}

/**
 * How many must be let through before this job: those in line who are older. Counts no further than `most`,
 * the places that are free. Who sleeps on one of those is woken: a call may have been lost on its way.
 */
export function aheadOf(tx: Tx, job: JobId, route: number, most: number): number {
  let ahead = 0
  for (const other of slotsOf(tx.db).lines.get(route) ?? []) {
    if (ahead >= most) break
    if (other >= job) continue
    if (wake(tx, other) || isThere(tx, other)) ahead++
    else leaveLines(tx.db, other)
  }
  return ahead
}

/** A place became free: wakes who is the first of those who sleep in its line. */
export function callNext(tx: Tx, route: number): void {
  const { lines, called } = slotsOf(tx.db)
  const line = lines.get(route)
  if (!line) return
  for (let job = after(line, 0); job !== null; job = after(line, job)) {
    const next = job
    if (wake(tx, next)) {
      tx.after(() => called.set(next, route))
      return
    }
    // One that is awake looks by itself, and keeps its place until then.
    if (!isThere(tx, next)) leaveLines(tx.db, next)
  }
}

/** It was called, and does not begin there: the place is the next one's. */
export function passOn(tx: Tx, job: JobId, begins: RouteId | null): void {
  const { called } = slotsOf(tx.db)
  const route = called.get(job)
  if (route === undefined || route === begins) return
  called.delete(job)
  callNext(tx, route)
}

function slotsOf(db: Db): Slots {
  const known = ofDb.get(db)
  if (known) return known
  const made: Slots = { lines: new Map(), called: new Map() }
  ofDb.set(db, made)
  db.bus.subscribe('task.gone', ({ id }) => {
    const job = id as JobId
    if (!made.called.has(job)) return
    // It was cancelled between the call and its look. If this fails the next one looks by itself.
    write(db, tx => passOn(tx, job, null)).catch(() => {})
  })
  return made
}

/** Cancelled ones are gone without a word. */
function isThere(tx: Tx, job: JobId): boolean {
  return find.get(tx, { id: job }) !== null
}

function after(line: Set<JobId>, job: number): JobId | null {
  let found: JobId | null = null
  for (const other of line) {
    if (other > job && (found === null || other < found)) found = other
  }
  return found
}

import { MINUTE, SECOND } from '@/base/clock'
import { write } from '@/db/write'
import type { Deps } from '@/deps'
import { markUnserved } from '@/domain/jobs'
import { standInLine } from '@/domain/routing'
import { snooze } from '@/queue/finish'
import type { Claim, Outcome } from '@/queue/task'
import { attemptsOf } from './attempts'
import { chooseFor } from './choose-for'
import type { Later } from './prepare'

/** Whoever stands in a line is called; this is for a line that was lost, or a cap that was raised. */
const LOOK_FROM_LINE_MS = 30 * SECOND
/** A rest may be ended by a probe, or by its operator, before it says. */
const LONGEST_LOOK_MS = MINUTE
/** Those who wait for the same moment do not all come in it. */
const SPREAD_MS = 2 * SECOND

/** Comes back when somebody may serve it: called by a route that has a place, or when a rest ends. */
export async function waitForRoute(deps: Deps, claim: Claim, { job }: Later): Promise<Outcome> {
  await write(deps.db, tx => {
    // Meanwhile a place may have become free, and nobody in line to be called.
    const chosen = chooseFor(tx, deps, job, attemptsOf(tx, job.id))
    if (chosen.act !== 'wait') return snooze(tx, claim, tx.now, 'jobs')
    const isInLine = chosen.full.length > 0
    const lookMs = isInLine ? LOOK_FROM_LINE_MS : LONGEST_LOOK_MS
    const until = Math.min(chosen.until ?? Number.POSITIVE_INFINITY, tx.now + lookMs)
    const spreadMs = Math.floor(tx.random() * Math.min(SPREAD_MS, until - tx.now))
    snooze(tx, claim, until + spreadMs, 'jobs')
    standInLine(tx.db, job.id, chosen.full)
    markUnserved(tx, job.id, isInLine ? null : (job.unservedSince ?? tx.now))
  })
  return { outcome: 'handled' }
}

import { z } from 'zod'
import { DAY, HOUR, MINUTE, SECOND } from '@/base/clock'
import type { DeliveryId, EventId, FileId, JobId, UserId } from '@/base/ids'
import { write } from '@/db/write'
import type { Deps } from '@/deps'
import * as apps from '@/domain/apps'
import * as events from '@/domain/events'
import * as files from '@/domain/files'
import * as generation from '@/domain/generation'
import * as idempotency from '@/domain/idempotency'
import * as jobs from '@/domain/jobs'
import * as ledger from '@/domain/ledger'
import * as limits from '@/domain/limits'
import * as plans from '@/domain/plans'
import * as privacy from '@/domain/privacy'
import * as providers from '@/domain/providers'
import * as webhooks from '@/domain/webhooks'
import { enqueue } from '@/queue/enqueue'
import type { Kind } from '@/queue/kind'
import type { Outcome, Task } from '@/queue/task'

const DONE: Outcome = { outcome: 'done' }
/** Answers of other creations than jobs and grants are kept this long; those keep theirs for ever. */
const ANSWERS_KEPT_MS = 48 * HOUR
const FORGET_AT_ONCE = 500
/** Some milliseconds of writing. */
const EXPIRE_AT_ONCE = 200

const id = <Branded extends number>() => z.int().transform(value => value as Branded)
const EventPayload = z.object({ event_id: id<EventId>() })
const DeliveryPayload = z.object({ delivery_id: id<DeliveryId>() })
const JobPayload = z.object({ job_id: id<JobId>() })
const UserPayload = z.object({ user_id: id<UserId>() })
/** Without a name: all of them. */
const CheckPayload = z.object({ provider: z.string().nullable().default(null) })
const DiscardPayload = z.object({ first_file_id: id<FileId>(), count: z.int() })

const read = <T>(schema: z.ZodType<T>, task: Task): T => schema.parse(JSON.parse(task.payload))
/** The task of a job carries the job's own id. */
const jobOf = (task: Task) => task.id as number as JobId

/** What each kind of task is: its payload, its bounds, and the domain verb behind it. */
export function taskKinds(deps: Deps): Record<string, Kind> {
  return {
    'job.execute': {
      pool: 'jobs',
      // A synchronous vendor may take its ten minutes; our own part is short.
      timeoutMs: 12 * MINUTE,
      maxFailures: generation.MAX_FAILURES,
      prepare: (tx, claim) => generation.prepare(tx, deps, jobOf(claim.task)),
      handle: (claim, plan, signal) =>
        generation.execute(deps, claim, plan as ReturnType<typeof generation.prepare>, signal),
      giveUp: (tx, task, reason) => generation.giveUp(tx, jobOf(task), reason),
    },
    'job.cancel_remote': {
      pool: 'chores',
      timeoutMs: MINUTE,
      maxFailures: 5,
      async handle(claim, _, signal) {
        await generation.cancelRemote(deps, read(JobPayload, claim.task).job_id, signal)
        return DONE
      },
      giveUp: (tx, task) => generation.closeCancelled(tx, read(JobPayload, task).job_id),
    },
    'webhook.fan_out': {
      pool: 'chores',
      timeoutMs: 30 * SECOND,
      maxFailures: 10,
      async handle(claim) {
        const event = events.find(deps.db, read(EventPayload, claim.task).event_id)
        if (!event) return DONE
        await webhooks.fanOut(deps, claim, event, jobs.findEnded)
        return { outcome: 'handled' }
      },
    },
    'webhook.deliver': {
      pool: 'deliveries',
      timeoutMs: MINUTE,
      maxFailures: 20,
      handle: (claim, _, signal) =>
        webhooks.deliver(deps, claim, read(DeliveryPayload, claim.task).delivery_id, signal),
      giveUp: (tx, task) => webhooks.giveUpDelivery(tx, read(DeliveryPayload, task).delivery_id),
    },
    'operator.deliver': {
      pool: 'deliveries',
      timeoutMs: MINUTE,
      maxFailures: 20,
      handle: (claim, _, signal) =>
        webhooks.deliverToOperator(deps, claim, read(EventPayload, claim.task).event_id, signal),
    },
    'files.discard': {
      pool: 'chores',
      timeoutMs: MINUTE,
      maxFailures: 20,
      async handle(claim) {
        const payload = read(DiscardPayload, claim.task)
        await files.discardBlobs(deps, payload.first_file_id, payload.count)
        return DONE
      },
    },
    'user.erase': {
      pool: 'chores',
      timeoutMs: 30 * MINUTE,
      // Never given up: it is a promise to a person.
      maxFailures: Number.POSITIVE_INFINITY,
      async handle(claim) {
        await privacy.erasePerson(deps, read(UserPayload, claim.task).user_id)
        return DONE
      },
      // Nor when it killed the process: tomorrow, with another version perhaps, it is tried again.
      giveUp: (tx, task) => {
        const payload = JSON.parse(task.payload)
        enqueue(tx, { kind: task.kind, pool: 'chores', payload, runAt: tx.now + DAY })
      },
    },
    'providers.check': {
      pool: 'chores',
      timeoutMs: MINUTE,
      // The next one is ordered in minutes anyway.
      maxFailures: 1,
      async handle(claim, _, signal) {
        await providers.watch(deps, read(CheckPayload, claim.task).provider, signal)
        return DONE
      },
    },
    'subscriptions.renew': {
      pool: 'chores',
      // After months of sleep there is much to make up for; what is left over is done by the next one.
      timeoutMs: 10 * MINUTE,
      maxFailures: 1,
      async handle(_claim, _, signal) {
        await plans.renewAllDue(deps, signal)
        return DONE
      },
    },
    'budgets.watch': {
      pool: 'chores',
      timeoutMs: MINUTE,
      // The next one is ordered in a minute anyway.
      maxFailures: 1,
      async handle() {
        await limits.watchBudgets(deps)
        return DONE
      },
    },
    'keys.note_use': {
      pool: 'chores',
      timeoutMs: MINUTE,
      maxFailures: 1,
      async handle() {
        await apps.flushLastUsed(deps)
        return DONE
      },
    },
    'tokens.expire': {
      pool: 'chores',
      timeoutMs: 30 * MINUTE,
      maxFailures: 3,
      async handle(_claim, _prepared, signal) {
        const expire = () => write(deps.db, tx => ledger.expireBatch(tx, EXPIRE_AT_ONCE))
        // After months of sleep there is much to write: in turns, so that others get theirs in between.
        while (!signal.aborted && (await expire()) === EXPIRE_AT_ONCE) {}
        return DONE
      },
    },
    'idempotency.forget': {
      pool: 'chores',
      timeoutMs: 5 * MINUTE,
      maxFailures: 3,
      async handle() {
        const forget = () =>
          write(deps.db, tx => idempotency.forgetOld(tx, tx.now - ANSWERS_KEPT_MS, FORGET_AT_ONCE))
        while ((await forget()) === FORGET_AT_ONCE) {}
        return DONE
      },
    },
    'database.tidy': {
      pool: 'chores',
      timeoutMs: MINUTE,
      maxFailures: 1,
      async handle() {
        // Only when nobody waits: a checkpoint of a large log holds the loop for tens of milliseconds.
        if (deps.db.writer.stats().waiting === 0)
          deps.db.sqlite.run('PRAGMA wal_checkpoint(TRUNCATE)')
        return DONE
      },
    },
  }
}

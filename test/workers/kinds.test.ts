import { afterEach, describe, expect, test } from 'bun:test'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  attemptRows,
  blobNames,
  closeStages,
  expectMoney,
  nextDue,
  rows,
  run,
  runOut,
  type Stage,
  stage,
  submit,
  USER,
  userId,
} from '@test/domain/jobs/stage'
import { failure, pendingForEver } from '@test/support/fake-provider'
import { ZodError } from 'zod'
import { DAY, HOUR } from '@/base/clock'
import { formatId, type JobId, type RealmId } from '@/base/ids'
import { write } from '@/db/write'
import { findKey, noteUse } from '@/domain/apps'
import { once } from '@/domain/idempotency'
import { cancel } from '@/domain/jobs'
import { createPlan, subscribe } from '@/domain/plans'
import { erase } from '@/domain/users'
import { enqueue } from '@/queue/enqueue'
import type { Task } from '@/queue/task'
import { taskKinds } from '@/workers/kinds'
import { SCHEDULE } from '@/workers/schedule'

afterEach(closeStages)

const ACTOR = { kind: 'key' as const, id: 'key_test' }

async function order(on: Stage, kind: string, payload: unknown = {}) {
  await write(on.deps.db, tx => enqueue(tx, { kind, pool: 'chores', payload }))
}

/** As the queue does it to a task that was alone each time the process died. */
async function park(on: Stage, kind: string) {
  const [task] = rows<Task>(on, 'SELECT * FROM tasks WHERE kind = ?', kind)
  if (!task) throw new Error(`no task ${kind}`)
  on.deps.db.sqlite.run(
    `UPDATE tasks SET state = 'claimed', pool = 'quarantine', deaths = 2, run_at = NULL,
       claim_token = 1, boot_id = 1 WHERE id = ?`,
    [task.id],
  )
}

describe('every kind', () => {
  test('has a pool, a bound in time and a bound in failures', async () => {
    const on = await stage({ hub: { isRunning: false } })
    const kinds = taskKinds(on.deps)
    expect(Object.keys(kinds)).not.toBeEmpty()
    for (const [name, kind] of Object.entries(kinds)) {
      expect([name, kind.pool]).toEqual([
        name,
        expect.stringMatching(/^(jobs|polls|deliveries|chores)$/),
      ])
      expect(kind.timeoutMs).toBeGreaterThan(0)
      expect(kind.timeoutMs).toBeLessThanOrEqual(HOUR)
      expect(kind.maxFailures).toBeGreaterThanOrEqual(1)
    }
    for (const { kind } of SCHEDULE) expect(kinds[kind]).toBeDefined()
  })

  test('refuses a payload that is not its own, and stops nothing else', async () => {
    const on = await stage()
    const kinds = Object.entries(taskKinds(on.deps)).filter(([name]) => NEEDS_PAYLOAD.has(name))
    expect(kinds.length).toBe(NEEDS_PAYLOAD.size)
    for (const [name, kind] of kinds) {
      const task = { payload: '{"wrong": true}' } as Task
      const claim = { task, token: 0, homePool: kind.pool }
      const handled = async () => await kind.handle(claim, undefined, new AbortController().signal)
      expect([name, await handled().catch(error => error)]).toEqual([name, expect.any(ZodError)])
      if (kind.maxFailures < 100) await order(on, name, { wrong: true })
    }
    const id = await submit(on)
    await run(on)
    expectMoney(on, id, { charged: 3, refunded: 0 })
  })
})

const NEEDS_PAYLOAD = new Set([
  'job.cancel_remote',
  'webhook.fan_out',
  'webhook.deliver',
  'operator.deliver',
  'files.discard',
  'user.erase',
])

describe('what is parked because it killed the process', () => {
  test('erasing a person is a promise: it is tried again a day later, until it is done', async () => {
    const on = await stage({ hub: { isRunning: false } })
    await submit(on)
    const user = userId(on)
    await erase(on.deps, ACTOR, on.realm, USER)
    await park(on, 'user.erase')
    const now = on.clock.now()
    await on.runner.start()
    await run(on)
    expect(rows(on, `SELECT run_at FROM tasks WHERE kind = 'user.erase'`)).toEqual([
      { run_at: now + DAY },
    ])
    await runOut(on)
    expect(rows(on, 'SELECT * FROM job_inputs')).toEqual([])
    expect(rows(on, 'SELECT erased_at FROM users WHERE id = ?', user)).toEqual([{ erased_at: now }])
  })

  test('a delivery is shown as dead', async () => {
    const on = await stage()
    on.web.serve('https://app.example.com/hook', 500)
    await submit(on)
    await run(on)
    await park(on, 'webhook.deliver')
    const giveUp = taskKinds(on.deps)['webhook.deliver']?.giveUp
    const [task] = rows<Task>(on, `SELECT * FROM tasks WHERE kind = 'webhook.deliver'`)
    await write(on.deps.db, tx => {
      if (task) giveUp?.(tx, task, 'poison')
    })
    expect(rows(on, 'SELECT state, last_error, tries FROM webhook_deliveries')).toEqual([
      { state: 'dead', last_error: 'given_up', tries: 1 },
    ])
  })

  test('telling the vendor: the attempt is closed without it', async () => {
    const on = await stage()
    on.provider.script(pendingForEver())
    const id = await submit(on)
    await run(on)
    on.provider.onStep = step => {
      if (step === 'cancel:called') throw failure('unavailable')
    }
    await cancel(on.deps, ACTOR, { realmId: on.realm.id, userId: null }, id, null)
    const [task] = rows<Task>(on, `SELECT * FROM tasks WHERE kind = 'job.cancel_remote'`)
    const giveUp = taskKinds(on.deps)['job.cancel_remote']?.giveUp
    for (let times = 0; times < 2; times++) {
      await write(on.deps.db, tx => {
        if (task) giveUp?.(tx, task, 'poison')
      })
    }
    expect(attemptRows(on, id)).toMatchObject([{ state: 'cancelled' }])
    expect(rows(on, `SELECT id FROM tasks WHERE kind = 'files.discard'`).length).toBe(1)
    expectMoney(on, id, { charged: 3, refunded: 3 })
  })
})

async function renewed(on: Stage) {
  await order(on, 'subscriptions.renew')
  await run(on)
}

describe('chores', () => {
  test('old answers are forgotten after 48 h, however many, and young ones kept', async () => {
    const on = await stage()
    const keep = (key: string) =>
      write(on.deps.db, tx => {
        const scope = {
          realmId: on.realm.id as RealmId,
          userId: null,
          operation: 'x',
          key,
          hash: 'h',
        }
        once(tx, scope, () => ({ status: 200, answer: null }))
      })
    await Promise.all(Array.from({ length: 1_203 }, (_, index) => keep(`old-${index}`)))
    on.clock.advance(48 * HOUR - 1)
    await order(on, 'idempotency.forget')
    await run(on)
    expect(rows(on, 'SELECT count(*) AS count FROM idempotency_keys')).toEqual([{ count: 1_203 }])
    on.clock.advance(2)
    await keep('young')
    await order(on, 'idempotency.forget')
    await run(on)
    expect(rows(on, 'SELECT key FROM idempotency_keys')).toEqual([{ key: 'young' }])
  })

  test('the last use of a key is written, and only once', async () => {
    const on = await stage()
    const key = findKey(on.deps, on.app.apiKey)
    if (!key) throw new Error('the key works')
    const lastUse = () => rows(on, 'SELECT last_used_at FROM api_keys WHERE id = ?', key.keyId)
    noteUse(on.deps, key.keyId)
    const usedAt = on.clock.now()
    on.clock.advance(HOUR)
    expect(lastUse()).toEqual([{ last_used_at: null }])
    await order(on, 'keys.note_use')
    await run(on)
    expect(lastUse()).toEqual([{ last_used_at: usedAt }])
    const { changes } = on.deps.db.writer.stats()
    await order(on, 'keys.note_use')
    await run(on)
    expect(lastUse()).toEqual([{ last_used_at: usedAt }])
    // The order, its claim and its end, and nothing of the chore's own.
    expect(on.deps.db.writer.stats().changes).toBe(changes + 3)
  })

  test('subscriptions are renewed, and one that cannot be is said', async () => {
    const on = await stage()
    await createPlan(on.deps, ACTOR, on.realm, { template: 'basic', name: null })
    const bought = { plan: 'basic', periodStart: null, source: 'api', proration: null, when: null }
    const { id } = (await subscribe(on.deps, ACTOR, on.realm, USER, bought)).subscription
    const periods = () => rows(on, 'SELECT period_number AS at FROM subscriptions')
    on.clock.advance(31 * DAY)
    await renewed(on)
    expect(periods()).toEqual([{ at: 1 }])
    on.clock.advance(31 * DAY)
    on.deps.db.sqlite.run('UPDATE subscriptions SET period_number = 0 WHERE id = ?', [id])
    await renewed(on)
    expect(periods()).toEqual([{ at: 0 }])
    expect(on.hub.log.text()).toContain('1 subscriptions could not be renewed')
  })

  test('tidying empties the write-ahead log', async () => {
    const on = await stage()
    await submit(on)
    await run(on)
    const log = join(on.deps.config.dataDir, 'hub.db-wal')
    expect(existsSync(log) && statSync(log).size).toBeGreaterThan(0)
    await order(on, 'database.tidy')
    await run(on)
    // Only the end of the chore itself was written behind it.
    expect(statSync(log).size).toBeLessThan(50_000)
  })

  test('discarding removes blobs without a row', async () => {
    const on = await stage()
    const first = 4_711
    for (const id of [first, first + 1, first + 2]) {
      await on.deps.storage.put(formatId('file', id), new Uint8Array([1]))
    }
    await order(on, 'files.discard', { first_file_id: first, count: 2 })
    await run(on)
    expect(blobNames(on)).toEqual([formatId('file', first + 2)])
  })

  test('a task about something that is gone is done', async () => {
    const on = await stage()
    const nothing = 4_711 as JobId
    await order(on, 'webhook.fan_out', { event_id: nothing })
    await order(on, 'webhook.deliver', { delivery_id: nothing })
    await order(on, 'job.cancel_remote', { job_id: nothing })
    await order(on, 'user.erase', { user_id: nothing })
    await runOut(on)
    expect(nextDue(on)).toBeNull()
  })
})

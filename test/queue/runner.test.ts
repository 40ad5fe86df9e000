import { describe, expect, test } from 'bun:test'
import { fakeClock } from '@test/support/fake-clock'
import { testDb } from '@test/support/test-db'
import { AppError, Superseded } from '@/base/errors'
import { write } from '@/db/write'
import { claim as claimTask } from '@/queue/claim'
import { enqueue, forget, wake } from '@/queue/enqueue'
import { finish, retry, snooze } from '@/queue/finish'
import { allRows, DONE, kind, order, rowOf, signal, startRig } from './rig'

const SECOND = 1_000
const MINUTE = 60 * SECOND

describe('the runner is woken', () => {
  test('by the commit and not by polling: under 5 ms from there to the handler', async () => {
    const ROUNDS = 200
    let started = signal<number>()
    await using rig = await startRig(() => ({
      tick: kind(() => {
        started.happen(performance.now())
        return DONE
      }),
    }))
    const waits: number[] = []
    for (let i = 0; i < ROUNDS; i++) {
      started = signal()
      let committedAt = 0
      await write(rig.db, tx => {
        enqueue(tx, { kind: 'tick', pool: 'jobs', payload: {} })
        tx.after(() => {
          committedAt = performance.now()
        })
      })
      waits.push((await started.happened) - committedAt)
    }
    waits.sort((a, b) => a - b)
    const median = waits[ROUNDS / 2] ?? Number.NaN
    const p99 = waits[Math.floor(ROUNDS * 0.99)] ?? Number.NaN
    console.log(
      `commit to handler: median ${median.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, ${ROUNDS} tasks`,
    )
    expect(median).toBeLessThan(5)
  })

  test('at the moment of a scheduled row, and not before', async () => {
    const ran = signal<number>()
    await using rig = await startRig(db => ({
      later: kind(() => {
        ran.happen(db.clock.now())
        return DONE
      }),
    }))
    const runAt = rig.db.clock.now() + 60
    await order(rig.db, { kind: 'later', runAt })
    const late = (await ran.happened) - runAt
    expect(late).toBeGreaterThanOrEqual(0)
    expect(late).toBeLessThan(250)
  })

  test('by a nearer row although it sleeps towards a far one', async () => {
    const ran = signal<string>()
    await using rig = await startRig(() => ({
      far: kind(() => DONE),
      near: kind(() => {
        ran.happen('near')
        return DONE
      }),
    }))
    const far = await order(rig.db, { kind: 'far', runAt: rig.db.clock.now() + 10 * SECOND })
    await order(rig.db, { kind: 'near', runAt: rig.db.clock.now() + 20 })
    expect(await ran.happened).toBe('near')
    expect(rowOf(rig.db, far)?.state).toBe('scheduled')
  })

  test('by wake() for a task that sleeps until a date, and for one that sleeps without', async () => {
    const ran: number[] = []
    await using rig = await startRig(() => ({
      sleeper: kind(({ task }) => {
        ran.push(task.id)
        return DONE
      }),
    }))
    const dated = await order(rig.db, { kind: 'sleeper', runAt: rig.db.clock.now() + 9 * MINUTE })
    const undated = await order(rig.db, { kind: 'sleeper', runAt: null })
    await rig.runner.settleAll()
    expect(ran).toEqual([])
    await write(rig.db, tx => {
      wake(tx, dated)
      wake(tx, undated)
    })
    await rig.runner.settleAll()
    expect(ran.sort()).toEqual([dated, undated].sort())
    expect(allRows(rig.db)).toEqual([])
  })

  test('and wake() of one that runs or is gone changes nothing', async () => {
    const inside = signal()
    const leave = signal()
    let runs = 0
    await using rig = await startRig(() => ({
      busy: kind(async () => {
        runs++
        inside.happen()
        await leave.happened
        return DONE
      }),
    }))
    const id = await order(rig.db, { kind: 'busy' })
    await inside.happened
    await write(rig.db, tx => wake(tx, id))
    expect(rowOf(rig.db, id)?.state).toBe('claimed')
    leave.happen()
    await rig.runner.settleAll()
    await write(rig.db, tx => wake(tx, id))
    await rig.runner.settleAll()
    expect(runs).toBe(1)
  })
})

describe('what a handler answers', () => {
  test('done: the task is forgotten', async () => {
    await using rig = await startRig(() => ({ ok: kind(() => DONE) }))
    const id = await order(rig.db, { kind: 'ok' })
    await rig.runner.settleAll()
    expect(rowOf(rig.db, id)).toBeNull()
  })

  test('handled: the runner writes nothing more, what the handler wrote stands', async () => {
    const clock = fakeClock()
    await using rig = await startRig(
      db => ({
        own: kind(async claim => {
          await write(db, tx => snooze(tx, claim, tx.now + MINUTE, 'polls'))
          return { outcome: 'handled' }
        }),
      }),
      { clock },
    )
    const id = await order(rig.db, { kind: 'own' })
    await rig.runner.settleAll()
    expect(rowOf(rig.db, id)).toMatchObject({
      state: 'scheduled',
      pool: 'polls',
      run_at: clock.now() + MINUTE,
      claim_token: null,
      boot_id: null,
    })
  })

  test('snooze: fifty of them count as no failure and no death', async () => {
    const SNOOZES = 50
    const clock = fakeClock()
    let runs = 0
    await using rig = await startRig(
      () => ({
        waiting: kind(() =>
          ++runs > SNOOZES ? DONE : { outcome: 'snooze', runAt: clock.now() + SECOND },
        ),
      }),
      { clock },
    )
    const id = await order(rig.db, { kind: 'waiting' })
    for (let i = 1; i <= SNOOZES; i++) {
      await rig.runner.settleAll()
      expect(runs).toBe(i)
      expect(rowOf(rig.db, id)).toMatchObject({
        state: 'scheduled',
        run_at: clock.now() + SECOND,
        failures: 0,
        deaths: 0,
      })
      clock.advance(SECOND)
    }
    await rig.runner.settleAll()
    expect(rowOf(rig.db, id)).toBeNull()
  })

  test('snooze forgives deaths: it has survived', async () => {
    const clock = fakeClock()
    await using rig = await startRig(
      () => ({ waiting: kind(() => ({ outcome: 'snooze', runAt: clock.now() + SECOND })) }),
      { clock, isRunning: false },
    )
    const id = await order(rig.db, { kind: 'waiting' })
    rig.db.sqlite.run('UPDATE tasks SET deaths = 1 WHERE id = ?', [id])
    await rig.runner.start()
    await rig.runner.settleAll()
    expect(rowOf(rig.db, id)?.deaths).toBe(0)
  })

  test('snooze without a date: it sleeps until somebody wakes it', async () => {
    const clock = fakeClock()
    let runs = 0
    await using rig = await startRig(
      () => ({ asked: kind(() => (++runs > 1 ? DONE : { outcome: 'snooze', runAt: null })) }),
      { clock },
    )
    const id = await order(rig.db, { kind: 'asked' })
    await rig.runner.settleAll()
    clock.advance(1_000 * 24 * 60 * MINUTE)
    await rig.runner.settleAll()
    expect({ runs, run_at: rowOf(rig.db, id)?.run_at }).toEqual({ runs: 1, run_at: null })
    await write(rig.db, tx => wake(tx, id))
    await rig.runner.settleAll()
    expect({ runs, row: rowOf(rig.db, id) }).toEqual({ runs: 2, row: null })
  })

  test('retry at a date: one failure more, at that date', async () => {
    const clock = fakeClock()
    const runAt = clock.now() + 77 * SECOND
    await using rig = await startRig(
      () => ({ limited: kind(() => ({ outcome: 'retry', error: new Error('429'), runAt })) }),
      { clock },
    )
    const id = await order(rig.db, { kind: 'limited' })
    await rig.runner.settleAll()
    expect(rowOf(rig.db, id)).toMatchObject({ failures: 1, run_at: runAt })
  })

  test('a throw: the wait doubles, is jittered, and is capped at fifteen minutes', async () => {
    const TASKS = 40
    const FAILURES = 12
    const clock = fakeClock()
    await using rig = await startRig(
      () => ({
        broken: kind(
          () => {
            throw new Error('no')
          },
          { maxFailures: FAILURES + 1 },
        ),
      }),
      { clock },
    )
    await write(rig.db, tx => {
      for (let i = 0; i < TASKS; i++) enqueue(tx, { kind: 'broken', pool: 'jobs', payload: {} })
    })
    for (let failures = 1; failures <= FAILURES; failures++) {
      await rig.runner.settleAll()
      const ceiling = Math.min(SECOND * 2 ** (failures - 1), 15 * MINUTE)
      const rows = allRows(rig.db)
      const waits = rows.map(row => (row.run_at ?? 0) - clock.now())
      expect(rows).toHaveLength(TASKS)
      expect(new Set(rows.map(row => row.failures))).toEqual(new Set([failures]))
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(ceiling / 2)
      expect(Math.max(...waits)).toBeLessThanOrEqual(ceiling)
      // Spread over the half, not in one heap.
      expect(new Set(waits).size).toBeGreaterThan(TASKS / 2)
      expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(ceiling / 5)
      clock.advance(ceiling)
    }
  })

  test('maxFailures throws: given up once, in one write with the end of the task', async () => {
    const clock = fakeClock()
    let runs = 0
    const givenUp: { reason: string; failures: number; stillThere: boolean }[] = []
    await using rig = await startRig(
      db => ({
        broken: kind(
          () => {
            runs++
            throw new Error('no')
          },
          {
            maxFailures: 3,
            giveUp(_, task, reason) {
              givenUp.push({
                reason,
                failures: task.failures,
                stillThere: rowOf(db, task.id) !== null,
              })
            },
          },
        ),
      }),
      { clock },
    )
    await order(rig.db, { kind: 'broken' })
    for (let i = 0; i < 6; i++) {
      await rig.runner.settleAll()
      clock.advance(MINUTE)
    }
    expect(runs).toBe(3)
    expect(givenUp).toEqual([{ reason: 'failures', failures: 2, stillThere: false }])
    expect(allRows(rig.db)).toEqual([])
    expect(rig.runner.stats().running.jobs).toBe(0)
  })

  test('a preparation that throws is a failure like any other, and nothing it wrote stays', async () => {
    const clock = fakeClock()
    const givenUp: string[] = []
    let handled = 0
    await using rig = await startRig(
      () => ({
        unprepared: kind(() => void handled++, {
          maxFailures: 2,
          prepare(tx) {
            tx.db.sqlite.run("INSERT INTO settings VALUES ('half', '1', 0)")
            throw new Error('not now')
          },
          giveUp: (_tx, _task, reason) => void givenUp.push(reason),
        }),
      }),
      { clock },
    )
    const id = await order(rig.db, { kind: 'unprepared' })
    await rig.runner.settleAll()
    expect(rowOf(rig.db, id)).toMatchObject({ state: 'scheduled', failures: 1 })
    clock.advance(MINUTE)
    await rig.runner.settleAll()
    expect({ row: rowOf(rig.db, id), givenUp, handled }).toEqual({
      row: null,
      givenUp: ['failures'],
      handled: 0,
    })
    expect(rig.db.sqlite.query('SELECT count(*) AS n FROM settings').get()).toEqual({ n: 0 })
  })

  test('what the preparation made reaches the handler, and was committed before it began', async () => {
    const seen = signal<unknown>()
    await using rig = await startRig(db => ({
      prepared: {
        pool: 'jobs',
        timeoutMs: MINUTE,
        maxFailures: 1,
        prepare(tx) {
          tx.db.sqlite.run("INSERT INTO settings VALUES ('intent', '1', 0)")
          return 'a plan'
        },
        async handle(claim, prepared) {
          seen.happen({
            prepared,
            inTransaction: db.sqlite.inTransaction,
            state: rowOf(db, claim.task.id)?.state,
            written: db.sqlite.query('SELECT name FROM settings').all(),
          })
          return DONE
        },
      },
    }))
    await order(rig.db, { kind: 'prepared' })
    expect(await seen.happened).toEqual({
      prepared: 'a plan',
      inTransaction: false,
      state: 'claimed',
      written: [{ name: 'intent' }],
    })
  })

  test('a kind without a handler is kept for a version that has one', async () => {
    const clock = fakeClock()
    await using rig = await startRig(() => ({}), { clock })
    const id = await order(rig.db, { kind: 'of.tomorrow' })
    for (let i = 0; i < 10; i++) {
      await rig.runner.settleAll()
      clock.advance(15 * MINUTE)
    }
    expect(rowOf(rig.db, id)).toMatchObject({ state: 'scheduled', failures: 10 })
  })
})

describe('a claim', () => {
  test('of one task is given once, however many ask', async () => {
    const db = testDb()
    const id = await order(db, { kind: 'wanted' })
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, boot) => write(db, tx => claimTask(tx, id, boot + 1))),
    )
    const winners = answers.filter(answer => answer.status === 'fulfilled')
    const losers = answers.filter(answer => answer.status === 'rejected')
    expect(winners).toHaveLength(1)
    expect(losers.every(answer => answer.reason instanceof Superseded)).toBe(true)
    db.close()
  })

  test('that was lost can neither finish, snooze nor retry, and undoes the whole write', async () => {
    const db = testDb()
    const id = await order(db, { kind: 'wanted' })
    const old = await write(db, tx => ({ ...claimTask(tx, id, 1), homePool: 'jobs' as const }))
    await write(db, tx => snooze(tx, old, null))
    await write(db, tx => wake(tx, id))
    const current = await write(db, tx => claimTask(tx, id, 1))
    for (const late of [
      () =>
        write(db, tx => {
          tx.db.sqlite.run("INSERT INTO settings VALUES ('late', '', 0)")
          finish(tx, old)
        }),
      () => write(db, tx => snooze(tx, old, null)),
      () => write(db, tx => retry(tx, old, tx.now)),
    ]) {
      expect(await late().catch(error => error)).toBeInstanceOf(Superseded)
    }
    expect(rowOf(db, id)).toMatchObject({ state: 'claimed', claim_token: current.token })
    expect(db.sqlite.query('SELECT * FROM settings').all()).toEqual([])
    db.close()
  })

  test('is lost when the task is forgotten meanwhile: what its handler then writes is undone', async () => {
    const inside = signal()
    const leave = signal()
    const ended = signal<unknown>()
    await using rig = await startRig(db => ({
      cancelled: kind(async claim => {
        inside.happen()
        await leave.happened
        try {
          await write(db, tx => {
            tx.db.sqlite.run("INSERT INTO settings VALUES ('result', '', 0)")
            finish(tx, claim)
          })
        } catch (error) {
          ended.happen(error)
          throw error
        }
        return { outcome: 'handled' }
      }),
    }))
    const id = await order(rig.db, { kind: 'cancelled' })
    await inside.happened
    await write(rig.db, tx => forget(tx, id))
    leave.happen()
    expect(await ended.happened).toBeInstanceOf(Superseded)
    await rig.runner.settleAll()
    expect(rig.db.sqlite.query('SELECT * FROM settings').all()).toEqual([])
    expect(allRows(rig.db)).toEqual([])
    // Losing is no failure: nobody is told in the log at more than debug.
    expect(rig.log.lines().filter(line => line.level !== 'debug')).toEqual([])
  })

  test('of a task that was forgotten while it stood in line is never made', async () => {
    const inside = signal()
    const leave = signal()
    const ran: number[] = []
    await using rig = await startRig(
      () => ({
        one: kind(async ({ task }) => {
          ran.push(task.id)
          inside.happen()
          await leave.happened
          return DONE
        }),
      }),
      { bounds: { jobs: 1 } },
    )
    const first = await order(rig.db, { kind: 'one' })
    const second = await order(rig.db, { kind: 'one' })
    await inside.happened
    await write(rig.db, tx => forget(tx, second))
    expect(rig.runner.stats().ready.jobs).toBe(0)
    leave.happen()
    await rig.runner.settleAll()
    expect(ran).toEqual([first])
  })

  test('is ordered at most once under one name', async () => {
    let runs = 0
    await using rig = await startRig(() => ({ tidy: kind(() => void runs++) }), {
      isRunning: false,
    })
    for (let i = 0; i < 5; i++) await order(rig.db, { kind: 'tidy', uniqueKey: 'tidy' })
    await order(rig.db, { kind: 'tidy', uniqueKey: 'tidy of another' })
    expect(allRows(rig.db)).toHaveLength(2)
    expect(rig.lanes.size('jobs')).toBe(0)
    await rig.runner.start()
    await rig.runner.settleAll()
    expect(runs).toBe(2)
    // Once it is done, the name is free.
    await order(rig.db, { kind: 'tidy', uniqueKey: 'tidy' })
    await rig.runner.settleAll()
    expect(runs).toBe(3)
  })

  test('an order whose write is undone never runs', async () => {
    let runs = 0
    await using rig = await startRig(() => ({ never: kind(() => void runs++) }))
    const told = await write(rig.db, tx => {
      enqueue(tx, { kind: 'never', pool: 'jobs', payload: {} })
      throw new AppError('insufficient_tokens')
    }).catch(error => error)
    expect(told).toBeInstanceOf(AppError)
    await rig.runner.settleAll()
    expect({ runs, ready: rig.lanes.size('jobs') }).toEqual({ runs: 0, ready: 0 })
  })
})

describe('pools', () => {
  test('are bounded, and a full one starves no other', async () => {
    const BOUND = 3
    const entered = Array.from({ length: 10 }, () => signal())
    const leave = signal()
    let most = 0
    let inside = 0
    let count = 0
    const chore = signal()
    await using rig = await startRig(
      () => ({
        slow: kind(async () => {
          most = Math.max(most, ++inside)
          entered[count++]?.happen()
          await leave.happened
          inside--
          return DONE
        }),
        chore: kind(() => void chore.happen(), { pool: 'chores' }),
      }),
      { bounds: { jobs: BOUND, chores: 1 } },
    )
    await write(rig.db, tx => {
      for (let i = 0; i < 10; i++) enqueue(tx, { kind: 'slow', pool: 'jobs', payload: {} })
    })
    await Promise.all(entered.slice(0, BOUND).map(one => one.happened))
    expect(rig.runner.stats()).toMatchObject({ running: { jobs: BOUND }, ready: { jobs: 7 } })

    await order(rig.db, { kind: 'chore', pool: 'chores' })
    await chore.happened
    expect(rig.runner.stats().running.jobs).toBe(BOUND)
    leave.happen()
    await rig.runner.settleAll()
    expect({ most, count, left: allRows(rig.db) }).toEqual({ most: BOUND, count: 10, left: [] })
  })

  test('a snoozing task holds no slot', async () => {
    const clock = fakeClock()
    let runs = 0
    await using rig = await startRig(
      () => ({
        patient: kind(() => {
          runs++
          return { outcome: 'snooze', runAt: clock.now() + MINUTE, pool: 'polls' }
        }),
      }),
      { clock, bounds: { jobs: 1 } },
    )
    for (let i = 0; i < 30; i++) await order(rig.db, { kind: 'patient' })
    await rig.runner.settleAll()
    expect(runs).toBe(30)
    expect(new Set(allRows(rig.db).map(row => `${row.state} ${row.pool}`))).toEqual(
      new Set(['scheduled polls']),
    )
  })

  test('an app with two hundred orders does not keep another waiting', async () => {
    const ran: number[] = []
    await using rig = await startRig(
      () => ({ work: kind(({ task }) => void ran.push(task.lane)) }),
      { bounds: { jobs: 1 }, isRunning: false },
    )
    await write(rig.db, tx => {
      for (let i = 0; i < 200; i++) {
        enqueue(tx, { kind: 'work', pool: 'jobs', payload: {}, lane: 1 })
      }
      enqueue(tx, { kind: 'work', pool: 'jobs', payload: {}, lane: 2 })
    })
    await rig.runner.start()
    await rig.runner.settleAll()
    expect(ran.indexOf(2)).toBeLessThanOrEqual(1)
    expect(ran).toHaveLength(201)
  })
})

import { describe, expect, setDefaultTimeout, spyOn, test } from 'bun:test'
import { fakeClock } from '@test/support/fake-clock'
import { openTestDb, testDb } from '@test/support/test-db'
import { Superseded } from '@/base/errors'
import type { Db } from '@/db/open'
import { write } from '@/db/write'
import { enqueue } from '@/queue/enqueue'
import { finish } from '@/queue/finish'
import { allRows, DONE, kind, order, rowOf, signal, startRig } from './rig'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const DAY = 24 * 60 * MINUTE

/** No page more than there is: whatever needs one is told that the disk is full. Answers the way back. */
function fillDisk(db: Db): () => void {
  const { page_count } = db.sqlite.query('PRAGMA page_count').get() as { page_count: number }
  db.sqlite.run(`PRAGMA max_page_count = ${page_count}`)
  return () => db.sqlite.run('PRAGMA max_page_count = 1000000000')
}

const LARGE = 'x'.repeat(300_000)
const needsRoom = (db: Db) => db.sqlite.run("INSERT INTO settings VALUES ('large', ?, 0)", [LARGE])

// The longest of them waits for five seconds and a little, and all of them for their turn.
setDefaultTimeout(20_000)

// These wait for real seconds that the runner itself waits, so they wait together.
describe('in trouble', () => {
  test.concurrent('a handler that hangs is told to stop, loses its claim, and its late finish changes nothing', async () => {
    const told = signal<unknown>()
    const leave = signal()
    const late = signal<unknown>()
    await using rig = await startRig(db => ({
      hung: kind(
        async (claim, abort) => {
          abort.addEventListener('abort', () => told.happen(abort.reason))
          await leave.happened
          await write(db, tx => {
            tx.db.sqlite.run("INSERT INTO settings VALUES ('late', '', 0)")
            finish(tx, claim)
          }).catch(error => late.happen(error))
          return DONE
        },
        { timeoutMs: 30 },
      ),
    }))
    const failed = rig.heard('a task failed')
    const id = await order(rig.db, { kind: 'hung' })
    expect(String(await told.happened)).toContain('too long')
    expect(rowOf(rig.db, id)).toMatchObject({ state: 'claimed', failures: 0 })

    await failed
    await rig.runner.settleAll()
    const after = rowOf(rig.db, id)
    expect(after).toMatchObject({ state: 'scheduled', failures: 1, claim_token: null })
    expect(rig.runner.stats().running.jobs).toBe(0)

    leave.happen()
    expect(await late.happened).toBeInstanceOf(Superseded)
    expect(rowOf(rig.db, id)).toEqual(after)
    expect(rig.db.sqlite.query('SELECT * FROM settings').all()).toEqual([])
  })

  test.concurrent('a handler that stops when told is one failure, without the grace', async () => {
    await using rig = await startRig(() => ({
      obedient: kind(
        (_, abort) =>
          new Promise((_resolve, reject) =>
            abort.addEventListener('abort', () => reject(abort.reason)),
          ),
        { timeoutMs: 20 },
      ),
    }))
    const id = await order(rig.db, { kind: 'obedient' })
    await rig.heard('a task failed')
    await rig.runner.settleAll()
    expect(rowOf(rig.db, id)).toMatchObject({ state: 'scheduled', failures: 1 })
  })

  test.concurrent('a full disk at the claim: the task goes back in line and nothing is counted', async () => {
    let prepared = 0
    let free = () => {}
    await using rig = await startRig(db => ({
      large: kind(() => DONE, {
        maxFailures: 1,
        prepare() {
          if (++prepared === 1) free = fillDisk(db)
          needsRoom(db)
        },
      }),
    }))
    const id = await order(rig.db, { kind: 'large' })
    const seen = signal()
    // The group dies first and the claim runs again alone, so the second time is the refusal itself.
    const look = () => {
      if (prepared < 2 || rig.db.writer.stats().waiting > 0) setImmediate(look)
      else seen.happen()
    }
    look()
    await seen.happened
    expect(rowOf(rig.db, id)).toMatchObject({ state: 'ready', failures: 0, deaths: 0 })
    free()
    await rig.runner.settleAll()
    expect(rowOf(rig.db, id)).toBeNull()
    expect(rig.log.lines().filter(line => line.level === 'error')).toEqual([])
  })

  test.concurrent('a full disk when a handler writes: no failure of the task, it comes again', async () => {
    let runs = 0
    let free = () => {}
    const ended = signal()
    await using rig = await startRig(db => ({
      writer: kind(
        async claim => {
          if (++runs === 1) free = fillDisk(db)
          await write(db, tx => {
            needsRoom(tx.db)
            finish(tx, claim)
          })
          ended.happen()
          return { outcome: 'handled' }
        },
        { maxFailures: 1 },
      ),
    }))
    const refused = rig.heard('a task met a busy database and comes again')
    const id = await order(rig.db, { kind: 'writer' })
    await refused
    await rig.runner.settleAll()
    expect(rowOf(rig.db, id)).toMatchObject({ state: 'scheduled', failures: 0, deaths: 0 })
    free()
    await ended.happened
    await rig.runner.settleAll()
    expect({ runs, row: rowOf(rig.db, id) }).toEqual({ runs: 2, row: null })
  })

  test.concurrent('a full disk at the end of a task: it is written as soon as there is room', async () => {
    let runs = 0
    await using rig = await startRig(() => ({
      work: kind(() => void runs++, { maxFailures: 1 }),
    }))
    rig.db.sqlite.run(
      `CREATE TEMP TRIGGER ends_need_room AFTER DELETE ON tasks
       BEGIN INSERT INTO settings VALUES ('large', hex(zeroblob(200000)), 0); END`,
    )
    const free = fillDisk(rig.db)
    const refused = rig.heard('the end of a task could not be written')
    const id = await order(rig.db, { kind: 'work' })
    await refused
    expect(rowOf(rig.db, id)?.state).toBe('claimed')
    free()
    await rig.runner.settleAll()
    expect({ runs, row: rowOf(rig.db, id) }).toEqual({ runs: 1, row: null })
  })

  test.concurrent('due rows that cannot be made ready: asked again in a second, not in a hot loop', async () => {
    const ran = signal()
    const clock = fakeClock()
    await using rig = await startRig(() => ({ due: kind(() => void ran.happen()) }), { clock })
    rig.db.sqlite.run(
      `CREATE TEMP TRIGGER not_now BEFORE UPDATE OF state ON tasks WHEN NEW.state = 'ready'
       BEGIN SELECT RAISE(ABORT, 'not now'); END`,
    )
    const refused = rig.heard('due tasks could not be made ready')
    await order(rig.db, { kind: 'due', runAt: clock.now() + 5 })
    clock.advance(5)
    await refused
    // Three hundred turns of the loop: a hot loop would have tried in many of them.
    const startedAt = performance.now()
    for (let turn = 0; turn < 300; turn++) {
      await new Promise(resolve => setImmediate(resolve))
      await write(rig.db, () => null)
    }
    const warnings = rig.log
      .lines()
      .filter(line => line.message === 'due tasks could not be made ready')
    const seconds = (performance.now() - startedAt) / SECOND
    expect(warnings.length).toBeLessThanOrEqual(2 + seconds)
    rig.db.sqlite.run('DROP TRIGGER not_now')
    await ran.happened
  })

  test.concurrent('an order of another process is run within a second', async () => {
    const ROUNDS = 3
    let ran = signal()
    await using rig = await startRig(() => ({ shell: kind(() => void ran.happen()) }))
    const shell = openTestDb(rig.db.path, { busyTimeoutMs: 5_000 })
    const waits: number[] = []
    for (let i = 0; i < ROUNDS; i++) {
      ran = signal()
      await order(shell, { kind: 'shell' })
      const committedAt = performance.now()
      await ran.happened
      waits.push(performance.now() - committedAt)
    }
    shell.close()
    console.log(`foreign commit to handler: ${waits.map(ms => ms.toFixed(0)).join(', ')} ms`)
    expect(Math.max(...waits)).toBeLessThan(1_000)
  })

  test.concurrent('an order of another process for a nearer date is not slept over', async () => {
    const ran = signal()
    await using rig = await startRig(() => ({ shell: kind(() => void ran.happen()) }))
    const shell = openTestDb(rig.db.path, { busyTimeoutMs: 5_000 })
    const runAt = shell.clock.now() + 600
    await order(shell, { kind: 'shell', runAt })
    await ran.happened
    expect(rig.db.clock.now() - runAt).toBeLessThan(1_000)
    shell.close()
  })
})

describe('without waiting', () => {
  test('a row due in a hundred days overflows no timer', async () => {
    const clock = fakeClock()
    const spy = spyOn(globalThis, 'setTimeout')
    try {
      let runs = 0
      await using rig = await startRig(() => ({ far: kind(() => void runs++) }), {
        clock,
        isRunning: false,
      })
      const id = await order(rig.db, { kind: 'far', runAt: clock.now() + 100 * DAY })
      await rig.runner.start()
      const delays = spy.mock.calls.map(call => Number(call[1] ?? 0))
      expect(delays.length).toBeGreaterThan(0)
      expect(Math.max(...delays)).toBeLessThan(2 ** 31)
      await rig.runner.settleAll()
      clock.advance(100 * DAY - 1)
      await rig.runner.settleAll()
      expect({ runs, state: rowOf(rig.db, id)?.state }).toEqual({ runs: 0, state: 'scheduled' })
      clock.advance(1)
      await rig.runner.settleAll()
      expect({ runs, row: rowOf(rig.db, id) }).toEqual({ runs: 1, row: null })
    } finally {
      spy.mockRestore()
    }
  })

  test('a giveUp that throws: the task is neither lost nor stuck, it is given up at its next turn', async () => {
    const clock = fakeClock()
    let isBroken = true
    const givenUp: string[] = []
    await using rig = await startRig(
      () => ({
        broken: kind(
          () => {
            throw new Error('no')
          },
          {
            maxFailures: 1,
            giveUp(_tx, _task, reason) {
              if (isBroken) throw new Error('a bug in giving up')
              givenUp.push(reason)
            },
          },
        ),
        unprepared: kind(() => DONE, {
          maxFailures: 1,
          prepare() {
            throw new Error('no')
          },
          giveUp(_tx, _task, reason) {
            if (isBroken) throw new Error('a bug in giving up')
            givenUp.push(reason)
          },
        }),
      }),
      { clock },
    )
    await order(rig.db, { kind: 'broken' })
    await order(rig.db, { kind: 'unprepared' })
    await rig.runner.settleAll()
    expect(allRows(rig.db).map(row => `${row.state} ${row.failures}`)).toEqual([
      'scheduled 1',
      'scheduled 1',
    ])
    isBroken = false
    clock.advance(MINUTE)
    await rig.runner.settleAll()
    expect({ givenUp, rows: allRows(rig.db) }).toEqual({
      givenUp: ['failures', 'failures'],
      rows: [],
    })
  })

  test('more due rows than are made ready at once all run', async () => {
    const clock = fakeClock()
    let runs = 0
    const db = testDb({ clock })
    await using rig = await startRig(() => ({ due: kind(() => void runs++) }), { clock, db })
    await write(db, tx => {
      for (let i = 0; i < 1_200; i++) {
        enqueue(tx, { kind: 'due', pool: 'jobs', payload: {}, runAt: tx.now + 1 })
      }
    })
    clock.advance(1)
    await rig.runner.settleAll()
    expect({ runs, rows: allRows(db).length }).toEqual({ runs: 1_200, rows: 0 })
  })
})

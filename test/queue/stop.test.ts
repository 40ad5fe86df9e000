import { describe, expect, test } from 'bun:test'
import { openTestDb, testDb } from '@test/support/test-db'
import { Superseded } from '@/base/errors'
import { write } from '@/db/write'
import { finish } from '@/queue/finish'
import { allRows, DONE, kind, order, rowOf, signal, startRig } from './rig'

const GRACE_MS = 5_000

describe('stop', () => {
  test('lets a running handler finish, and claims nothing more', async () => {
    const inside = signal()
    const leave = signal()
    const ran: number[] = []
    await using rig = await startRig(
      () => ({
        work: kind(async ({ task }) => {
          ran.push(task.id)
          inside.happen()
          await leave.happened
          return DONE
        }),
      }),
      { bounds: { jobs: 1 } },
    )
    const first = await order(rig.db, { kind: 'work' })
    const second = await order(rig.db, { kind: 'work' })
    await inside.happened
    const stopped = rig.runner.stop(GRACE_MS)
    const third = await order(rig.db, { kind: 'work' })
    leave.happen()
    await stopped
    expect(ran).toEqual([first])
    expect(rowOf(rig.db, first)).toBeNull()
    expect(rowOf(rig.db, second)).toMatchObject({ state: 'ready', failures: 0, deaths: 0 })
    expect(rowOf(rig.db, third)).toMatchObject({ state: 'ready', failures: 0, deaths: 0 })
    expect(rig.runner.stats().isStopping).toBe(true)
  })

  test('gives back what does not finish in time, uncounted, and what it writes later is undone', async () => {
    const inside = signal()
    const late = signal<unknown>()
    const aborted = signal()
    const db = testDb()
    await using rig = await startRig(
      () => ({
        endless: kind(
          async (claim, abort) => {
            abort.addEventListener('abort', () => aborted.happen())
            inside.happen()
            await aborted.happened
            await write(db, tx => finish(tx, claim)).catch(error => late.happen(error))
            return DONE
          },
          { maxFailures: 1 },
        ),
      }),
      { db },
    )
    const id = await order(db, { kind: 'endless' })
    await inside.happened
    await rig.runner.stop(0)
    expect(await late.happened).toBeInstanceOf(Superseded)
    await db.writer.drained()
    expect(rowOf(db, id)).toMatchObject({
      state: 'ready',
      claim_token: null,
      boot_id: null,
      failures: 0,
      deaths: 0,
    })

    // The next process finds no orphan.
    const deaths: number[] = []
    const again = openTestDb(db.path)
    await using next = await startRig(
      () => ({ endless: kind(({ task }) => void deaths.push(task.deaths)) }),
      { db: again },
    )
    await next.runner.settleAll()
    expect({ deaths, rows: allRows(again) }).toEqual({ deaths: [0], rows: [] })
  })

  test('in the moment between a claim and its commit leaves no orphan either', async () => {
    const db = testDb()
    const leave = signal()
    const claimed = signal()
    await using rig = await startRig(
      () => ({
        work: kind(
          async () => {
            await leave.happened
            return DONE
          },
          { prepare: () => claimed.happen() },
        ),
      }),
      { db },
    )
    // `prepare` runs inside the claim's write: whoever waits for it goes on before that has committed.
    const stopped = claimed.happened.then(() => rig.runner.stop(0))
    const ids = [await order(db, { kind: 'work' }), await order(db, { kind: 'work' })]
    await stopped
    leave.happen()
    expect(ids.map(id => rowOf(db, id)?.state)).toEqual(['ready', 'ready'])
    expect(allRows(db).every(row => row.deaths === 0 && row.failures === 0)).toBe(true)
  })

  test('a task in quarantine that is given back stays in quarantine', async () => {
    const inside = signal()
    const leave = signal()
    await using rig = await startRig(() => ({
      suspect: kind(async () => {
        inside.happen()
        await leave.happened
        return DONE
      }),
    }))
    const id = await order(rig.db, { kind: 'suspect', pool: 'quarantine' })
    await inside.happened
    await rig.runner.stop(0)
    expect(rowOf(rig.db, id)).toMatchObject({ state: 'ready', pool: 'quarantine' })
    leave.happen()
  })

  test('gives back a task whose end could not be written', async () => {
    await using rig = await startRig(() => ({ work: kind(() => DONE) }))
    rig.db.sqlite.run(
      `CREATE TEMP TRIGGER no_end BEFORE DELETE ON tasks BEGIN SELECT RAISE(ABORT, 'no'); END`,
    )
    const refused = rig.heard('the end of a task could not be written')
    const id = await order(rig.db, { kind: 'work' })
    await refused
    await rig.runner.stop(0)
    expect(rowOf(rig.db, id)).toMatchObject({ state: 'ready', failures: 0, deaths: 0 })
  })
})

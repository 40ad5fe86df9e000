import { describe, expect, test } from 'bun:test'
import { openTestDb, testDb } from '@test/support/test-db'
import type { Db } from '@/db/open'
import { write } from '@/db/write'
import { claim as claimTask } from '@/queue/claim'
import type { Kind } from '@/queue/kind'
import { allRows, DONE, kind, order, rowOf, signal, startRig } from './rig'

const DEAD_BOOT = 1

/** As a process leaves them that died with these tasks in its hands. */
async function leftClaimed(db: Db, ids: number[], more: { deaths?: number; pool?: string } = {}) {
  await write(db, tx => {
    for (const id of ids) {
      claimTask(tx, id, DEAD_BOOT)
      tx.db.sqlite.run('UPDATE tasks SET deaths = ?1, pool = coalesce(?2, pool) WHERE id = ?3', [
        more.deaths ?? 0,
        more.pool ?? null,
        id,
      ])
    }
  })
}

async function orders(db: Db, kind: string, count: number): Promise<number[]> {
  const ids: number[] = []
  for (let i = 0; i < count; i++) ids.push(await order(db, { kind }))
  return ids
}

describe('after the process died', () => {
  test('what it had claimed is ready at once, one death more, and runs', async () => {
    const db = testDb()
    const ids = await orders(db, 'work', 5)
    const [kept = 0, ...lost] = ids
    await leftClaimed(db, lost)
    const deaths: number[] = []
    await using rig = await startRig(
      () => ({ work: kind(({ task }) => void deaths.push(task.deaths)) }),
      { db, isRunning: false },
    )
    await rig.runner.start()
    expect(allRows(db).map(row => row.deaths)).toEqual([0, 1, 1, 1, 1])
    expect(rowOf(db, kept)?.state).toBe('ready')
    await rig.runner.settleAll()
    expect(deaths.sort()).toEqual([0, 1, 1, 1, 1])
    expect(allRows(db)).toEqual([])
  })

  test('on the same file, opened anew: the orphans of the other boot run, its sleepers sleep on', async () => {
    const before = testDb()
    const [orphan = 0] = await orders(before, 'work', 1)
    const sleeper = await order(before, { kind: 'work', runAt: before.clock.now() + 3_600_000 })
    await leftClaimed(before, [orphan])
    // No stop and no release: the connection is just gone.
    before.close()
    const ran: number[] = []
    const db = openTestDb(before.path)
    await using rig = await startRig(() => ({ work: kind(({ task }) => void ran.push(task.id)) }), {
      db,
    })
    await rig.runner.settleAll()
    expect(ran).toEqual([orphan])
    expect(rowOf(db, sleeper)).toMatchObject({ state: 'scheduled', deaths: 0 })
  })

  test('its claims are void: the old token finishes nothing', async () => {
    const db = testDb()
    const [id = 0] = await orders(db, 'work', 1)
    await leftClaimed(db, [id])
    const old = rowOf(db, id)?.claim_token
    await using rig = await startRig(
      () => ({ work: kind(() => ({ outcome: 'snooze', runAt: null })) }),
      { db },
    )
    await rig.runner.settleAll()
    expect(old).toBeNumber()
    expect(rowOf(db, id)).toMatchObject({ state: 'scheduled', claim_token: null, boot_id: null })
  })
})

describe('in quarantine, after two deaths', () => {
  test('a task runs alone: nothing else begins, neither what stood in line nor what is ordered meanwhile', async () => {
    const db = testDb()
    const [suspect = 0] = await orders(db, 'suspect', 1)
    const innocent = await orders(db, 'innocent', 8)
    await leftClaimed(db, [suspect], { deaths: 1 })
    const inside = signal()
    const leave = signal()
    let isAlone = true
    let isSuspectIn = false
    let ran = 0
    const other = kind(() => {
      if (isSuspectIn) isAlone = false
      ran++
      return DONE
    })
    await using rig = await startRig(
      () => ({
        suspect: kind(async () => {
          isSuspectIn = true
          inside.happen()
          await leave.happened
          isSuspectIn = false
          return DONE
        }),
        innocent: other,
        chore: { ...other, pool: 'chores' },
      }),
      { db },
    )
    await inside.happened
    expect(rowOf(db, suspect)).toMatchObject({ pool: 'quarantine', deaths: 2, state: 'claimed' })
    await order(db, { kind: 'chore', pool: 'chores' })
    await order(db, { kind: 'innocent' })
    // Every one of these turns would have been enough to begin something.
    for (let turn = 0; turn < 20; turn++) await write(db, () => null)
    expect(rig.runner.stats().running).toEqual({
      jobs: 0,
      polls: 0,
      deliveries: 0,
      chores: 0,
      quarantine: 1,
    })
    expect(allRows(db).filter(row => row.state === 'claimed')).toHaveLength(1)
    leave.happen()
    await rig.runner.settleAll()
    expect({ isAlone, ran, rows: allRows(db), innocent: innocent.length }).toEqual({
      isAlone: true,
      ran: 10,
      rows: [],
      innocent: 8,
    })
  })

  test('it waits until what already runs has ended', async () => {
    const db = testDb()
    const long = signal()
    const longInside = signal()
    let running = 0
    let most = 0
    const counted = (handle: () => Promise<void>) =>
      kind(async () => {
        most = Math.max(most, ++running)
        await handle()
        running--
        return DONE
      })
    await using rig = await startRig(
      () => ({
        long: counted(async () => {
          longInside.happen()
          await long.happened
        }),
        suspect: counted(async () => {}),
      }),
      { db },
    )
    await order(db, { kind: 'long' })
    await longInside.happened
    await order(db, { kind: 'suspect', pool: 'quarantine' })
    for (let turn = 0; turn < 10; turn++) await write(db, () => null)
    expect(rig.runner.stats()).toMatchObject({
      running: { quarantine: 0 },
      ready: { quarantine: 1 },
    })
    long.happen()
    await rig.runner.settleAll()
    expect({ most, rows: allRows(db) }).toEqual({ most: 1, rows: [] })
  })

  test('several take turns with the others, one at a time, and all of them run', async () => {
    const db = testDb()
    const suspects = await orders(db, 'suspect', 5)
    await leftClaimed(db, suspects, { deaths: 1 })
    let running = 0
    let most = 0
    let ran = 0
    await using rig = await startRig(
      () => ({
        suspect: kind(async () => {
          most = Math.max(most, ++running)
          await write(db, () => null)
          running--
          ran++
          return DONE
        }),
      }),
      { db },
    )
    await rig.runner.settleAll()
    expect({ ran, most, rows: allRows(db) }).toEqual({ ran: 5, most: 1, rows: [] })
  })

  test('it does not hold up the others for ever: after each of them the others have a turn', async () => {
    const db = testDb()
    const suspects = await orders(db, 'suspect', 3)
    await leftClaimed(db, suspects, { deaths: 1 })
    const ran: string[] = []
    const note = (name: string) => kind(() => void ran.push(name))
    await using rig = await startRig(
      () => ({ suspect: note('suspect'), innocent: note('innocent') }),
      { db, isRunning: false },
    )
    await orders(db, 'innocent', 2)
    await rig.runner.start()
    await rig.runner.settleAll()
    expect(ran).toEqual(['suspect', 'innocent', 'innocent', 'suspect', 'suspect'])
  })

  test('one that survives goes home, its deaths forgiven', async () => {
    const db = testDb()
    const [id = 0] = await orders(db, 'suspect', 1)
    await leftClaimed(db, [id], { deaths: 1 })
    await using rig = await startRig(
      () => ({ suspect: kind(() => ({ outcome: 'snooze', runAt: null }), { pool: 'jobs' }) }),
      { db },
    )
    await rig.runner.settleAll()
    expect(rowOf(db, id)).toMatchObject({ pool: 'jobs', deaths: 0, failures: 0 })
  })

  test('the one that was alone when the process died again is given up as poison, once', async () => {
    const db = testDb()
    const [id = 0] = await orders(db, 'poison', 1)
    const others = await orders(db, 'innocent', 3)
    await leftClaimed(db, [id], { deaths: 2, pool: 'quarantine' })
    const given: string[] = []
    let ran = 0
    const poison: Kind = kind(() => void ran++, {
      giveUp: (_tx, task, reason) => void given.push(`${task.id} ${reason}`),
    })
    await using rig = await startRig(() => ({ poison, innocent: kind(() => void ran++) }), {
      db,
    })
    await rig.runner.settleAll()
    expect({ given, ran, rows: allRows(db) }).toEqual({
      given: [`${id} poison`],
      ran: others.length,
      rows: [],
    })
  })

  test('two that were claimed together are not blamed: neither was alone', async () => {
    const db = testDb()
    const ids = await orders(db, 'suspect', 2)
    await leftClaimed(db, ids, { deaths: 2, pool: 'quarantine' })
    const given: string[] = []
    await using rig = await startRig(
      () => ({
        suspect: kind(() => DONE, { giveUp: (_tx, _task, reason) => void given.push(reason) }),
      }),
      { db },
    )
    await rig.runner.settleAll()
    expect({ given, rows: allRows(db) }).toEqual({ given: [], rows: [] })
  })
})

import { afterEach, beforeEach, describe, expect, spyOn, test } from 'bun:test'
import { closeStages, rows, run, type Stage, stage } from '@test/domain/jobs/stage'
import { HOUR, MINUTE, SECOND } from '@/base/clock'
import { startSchedule } from '@/workers/schedule'

let on: Stage
let tick: () => void
let stopped = 0
let spies: { mockRestore(): void }[] = []

beforeEach(async () => {
  on = await stage({ hub: { isRunning: false } })
  // On the hour, so that every slot begins now.
  on.clock.advance(HOUR - (on.clock.now() % HOUR))
  stopped = 0
  const every = spyOn(globalThis, 'setInterval')
  every.mockImplementation(((act: () => void, ms: number) => {
    expect(ms).toBe(10 * SECOND)
    tick = act
    return 7 as never
  }) as never)
  const clear = spyOn(globalThis, 'clearInterval')
  clear.mockImplementation(((timer: number) => {
    expect(timer).toBe(7)
    stopped++
  }) as never)
  spies = [every, clear]
})
afterEach(async () => {
  for (const spy of spies) spy.mockRestore()
  await closeStages()
})

const waiting = () =>
  rows<{ kind: string }>(on, 'SELECT kind FROM tasks ORDER BY kind').map(task => task.kind)
const EACH_MINUTE = ['budgets.watch', 'keys.note_use', 'subscriptions.renew', 'tokens.expire']
const EACH_FIVE = [...EACH_MINUTE, 'database.tidy', 'providers.check'].sort()
const ALL = [...EACH_FIVE, 'idempotency.forget'].sort()

async function ticked(): Promise<string[]> {
  tick()
  await on.deps.db.writer.drained()
  return waiting()
}

async function begun(): Promise<() => void> {
  const stop = startSchedule(on.deps)
  await on.deps.db.writer.drained()
  return stop
}

describe('time orders', () => {
  test('everything at the start, and nothing twice within its slot', async () => {
    await begun()
    expect(waiting()).toEqual(ALL)
    await on.runner.start()
    await run(on)
    expect(waiting()).toEqual([])
    on.clock.advance(MINUTE - 1)
    expect(await ticked()).toEqual([])
  })

  test('each kind when its own time has come', async () => {
    await begun()
    await on.runner.start()
    await run(on)
    const expected: [number, string[]][] = [
      [MINUTE, EACH_MINUTE],
      [5 * MINUTE, EACH_FIVE],
      [6 * MINUTE, EACH_MINUTE],
      [HOUR, ALL],
    ]
    await on.runner.stop(0)
    let before = 0
    for (const [at, kinds] of expected) {
      on.clock.advance(at - before)
      before = at
      on.deps.db.sqlite.run('DELETE FROM tasks')
      expect(await ticked()).toEqual(kinds)
    }
  })

  test('what was missed once and not once each', async () => {
    await begun()
    on.deps.db.sqlite.run('DELETE FROM tasks')
    on.clock.advance(30 * HOUR)
    expect(await ticked()).toEqual(ALL)
    expect(await ticked()).toEqual(ALL)
  })

  test('nothing beside an order that is still waiting, also after a restart', async () => {
    await begun()
    for (let starts = 0; starts < 3; starts++) {
      on.clock.advance(HOUR)
      await begun()
      expect(waiting()).toEqual(ALL)
    }
  })

  test('nothing any more once it was stopped', async () => {
    const stop = await begun()
    stop()
    expect(stopped).toBe(1)
  })

  test('again when the order could not be written, and says so', async () => {
    const { enqueue } = on.deps.db.writer
    on.deps.db.writer.enqueue = () => Promise.reject(new Error('the disk is full'))
    startSchedule(on.deps)
    await new Promise(resolve => setImmediate(resolve))
    expect(on.hub.log.text()).toContain('could not be ordered')
    on.deps.db.writer.enqueue = enqueue
    on.clock.advance(10 * SECOND)
    expect(await ticked()).toEqual(ALL)
  })
})

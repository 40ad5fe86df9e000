import { heapStats } from 'bun:jsc'
import { describe, expect, test } from 'bun:test'
import { seededRandom } from '@test/queue/seeded-random'
import type { ReadyTask } from '@/queue/claim'
import { createLanes, type Lanes } from '@/queue/lanes'
import type { Pool } from '@/queue/task'

/**
 * The rule as one would explain it: lanes stand in a ring; who was served goes to its end, who comes
 * joins at its end, and inside a lane it goes by priority, then by age.
 */
class Ring {
  private readonly waiting: ReadyTask[] = []
  private order: number[] = []

  add(task: ReadyTask) {
    if (this.waiting.some(other => other.id === task.id)) return
    this.waiting.push(task)
    if (!this.order.includes(task.lane)) this.order.push(task.lane)
  }

  remove(task: ReadyTask) {
    const index = this.waiting.findIndex(other => other.id === task.id)
    if (index >= 0) this.waiting.splice(index, 1)
    this.forgetEmpty()
  }

  take(): ReadyTask | null {
    const [lane] = this.order
    const [first] = this.waiting
      .filter(task => task.lane === lane)
      .sort((a, b) => a.priority - b.priority || a.id - b.id)
    if (lane === undefined || !first) return null
    this.order = [...this.order.slice(1), lane]
    this.remove(first)
    return first
  }

  /** Everything in the order in which it would be taken. */
  inOrder(): ReadyTask[] {
    const copy = new Ring()
    copy.waiting.push(...this.waiting)
    copy.order = [...this.order]
    const all: ReadyTask[] = []
    for (let next = copy.take(); next; next = copy.take()) all.push(next)
    return all
  }

  private forgetEmpty() {
    this.order = this.order.filter(lane => this.waiting.some(task => task.lane === lane))
  }
}

const POOLS: Pool[] = ['jobs', 'polls', 'chores']
const STEPS = 1_500
const SEEDS = 12

function task(id: number, more: Partial<ReadyTask> = {}): ReadyTask {
  return { id, pool: 'jobs', lane: 1, priority: 10, ...more }
}

function takeAll(lanes: Lanes, pool: Pool = 'jobs'): number[] {
  const ids: number[] = []
  for (let next = lanes.take(pool); next; next = lanes.take(pool)) ids.push(next.id)
  return ids
}

describe('lanes', () => {
  test('inside a lane it goes by priority, then by age', () => {
    const lanes = createLanes()
    for (const one of [task(3), task(1), task(4, { priority: 1 }), task(2, { priority: 50 })]) {
      lanes.add(one)
    }
    expect(takeAll(lanes)).toEqual([4, 1, 3, 2])
  })

  test('a lane with one order is served after one of a lane with a thousand', () => {
    const lanes = createLanes()
    for (let id = 1; id <= 1_000; id++) lanes.add(task(id, { lane: 7 }))
    lanes.add(task(1_001, { lane: 8 }))
    expect(lanes.position(task(1_001, { lane: 8 }))).toBe(2)
    expect([lanes.take('jobs')?.id, lanes.take('jobs')?.id]).toEqual([1, 1_001])
  })

  test('a lane that comes back each time it was served does not pass those who wait', () => {
    const lanes = createLanes()
    for (let id = 1; id <= 10; id++) {
      lanes.add(task(id, { lane: 1 }))
      lanes.add(task(100 + id, { lane: 2 }))
    }
    let next = 1_000
    lanes.add(task(next, { lane: 3 }))
    const served: number[] = []
    for (let i = 0; i < 12; i++) {
      const taken = lanes.take('jobs')
      served.push(taken?.lane ?? 0)
      if (taken?.lane === 3) lanes.add(task(++next, { lane: 3 }))
    }
    expect(served).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3])
  })

  test('the same order twice is one', () => {
    const lanes = createLanes()
    lanes.add(task(5))
    lanes.add(task(5))
    lanes.add(task(6))
    lanes.add(task(5))
    expect(lanes.size('jobs')).toBe(2)
    expect(takeAll(lanes)).toEqual([5, 6])
    expect(lanes.has('jobs')).toBe(false)
  })

  test('what is not in line has no position, and removing it changes nothing', () => {
    const lanes = createLanes()
    lanes.add(task(1))
    lanes.remove(task(2))
    lanes.remove(task(1, { lane: 9 }))
    lanes.remove(task(1, { priority: 9 }))
    expect(lanes.position(task(2))).toBeNull()
    expect(lanes.position(task(1, { pool: 'polls' }))).toBeNull()
    expect(lanes.size('jobs')).toBe(1)
    expect(lanes.position(task(1))).toBe(1)
  })

  for (let seed = 1; seed <= SEEDS; seed++) {
    test(`seed ${seed}: order, sizes and positions are those of the plain rule over ${STEPS} steps`, () => {
      const random = seededRandom(seed)
      const lanes = createLanes()
      const rings = new Map(POOLS.map(pool => [pool, new Ring()]))
      const ring = (pool: Pool) => rings.get(pool) ?? new Ring()
      const known: ReadyTask[] = []
      // Few lanes and many, quiet and crowded: each seed draws its own mixture.
      const laneCount = 1 + random.below(seed % 3 === 0 ? 40 : 5)
      const shareOfAdds = 0.35 + random.next() * 0.3
      let id = 1_000

      for (let step = 0; step < STEPS; step++) {
        const pool = random.pick(POOLS)
        const dice = random.next()
        if (dice < shareOfAdds) {
          // Mostly the newest id; now and then an old one that was made ready again.
          const again = random.next() < 0.15 && known.length > 0 ? random.pick(known) : null
          const one =
            again ??
            task(++id, {
              pool,
              lane: random.below(laneCount),
              priority: random.pick([1, 5, 10, 10, 10, 100]),
            })
          if (!again) known.push(one)
          lanes.add(one)
          ring(one.pool).add(one)
        } else if (dice < shareOfAdds + 0.15 && known.length > 0) {
          const one = random.pick(known)
          lanes.remove(one)
          ring(one.pool).remove(one)
        } else {
          expect(lanes.take(pool)).toEqual(ring(pool).take())
        }
        if (step % 25 === 0) {
          for (const [name, model] of rings) {
            const order = model.inOrder()
            expect(lanes.size(name)).toBe(order.length)
            expect(order.map(one => lanes.position(one))).toEqual(order.map((_, i) => i + 1))
          }
        }
      }
      for (const [pool, model] of rings) {
        expect(takeAll(lanes, pool)).toEqual(model.inOrder().map(one => one.id))
      }
    })
  }

  test('memory stays flat over a million orders that come and go', () => {
    const lanes = createLanes()
    let id = 0
    const shift = (count: number) => {
      for (let i = 0; i < count; i++) {
        lanes.add(task(++id, { lane: id % 3 }))
        lanes.take('jobs')
      }
    }
    // A standing backlog, so that no list is ever emptied and thrown away.
    for (let i = 0; i < 30; i++) lanes.add(task(++id, { lane: id % 3 }))
    shift(100_000)
    Bun.gc(true)
    const before = heapStats().heapSize
    shift(900_000)
    Bun.gc(true)
    const grown = heapStats().heapSize - before
    expect(lanes.size('jobs')).toBe(30)
    // Ids that were never let go would be 7 MB.
    expect(grown).toBeLessThan(500_000)
  })
})

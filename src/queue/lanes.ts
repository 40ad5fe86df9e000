import type { ReadyTask } from './claim'

/**
 * The ready rows as this process sees them: per pool, lanes that take turns; in a lane by priority, then
 * by age. It makes a claim a primary-key update and a queue position a binary search, instead of an
 * ORDER BY and a COUNT over a backlog. The table stays the truth: a row that is gone is simply skipped.
 */
export type Lanes = {
  add(task: ReadyTask): void
  remove(task: ReadyTask): void
  /** Removes and answers whose turn it is. */
  take(pool: string): ReadyTask | null
  has(pool: string): boolean
  /** 1 is next; null when the task is not ready. Exact while nothing is added before it. */
  position(task: ReadyTask): number | null
  size(pool: string): number
  reload(tasks: ReadyTask[]): void
}

export function createLanes(): Lanes {
  const pools = new Map<string, PoolLanes>()
  const poolOf = (name: string): PoolLanes => {
    const known = pools.get(name)
    if (known) return known
    const made: PoolLanes = { lanes: new Map(), order: [], turn: 0, size: 0 }
    pools.set(name, made)
    return made
  }

  const add = (task: ReadyTask) => {
    const pool = poolOf(task.pool)
    let lane = pool.lanes.get(task.lane)
    if (!lane) {
      lane = { byPriority: new Map(), priorities: [], size: 0 }
      pool.lanes.set(task.lane, lane)
      // Behind all others of this round: a lane that comes back each time it was served would pass them.
      pool.order.splice(pool.turn++, 0, task.lane)
    }
    let ids = lane.byPriority.get(task.priority)
    if (!ids) {
      ids = new SortedIds()
      lane.byPriority.set(task.priority, ids)
      lane.priorities.push(task.priority)
      lane.priorities.sort((a, b) => a - b)
    }
    if (!ids.add(task.id)) return
    lane.size++
    pool.size++
  }

  const drop = (pool: PoolLanes, laneId: number, lane: Lane, priority: number, ids: SortedIds) => {
    lane.size--
    pool.size--
    if (ids.size === 0) {
      lane.byPriority.delete(priority)
      lane.priorities.splice(lane.priorities.indexOf(priority), 1)
    }
    if (lane.size > 0) return
    const index = pool.order.indexOf(laneId)
    pool.lanes.delete(laneId)
    pool.order.splice(index, 1)
    if (index < pool.turn) pool.turn--
  }

  return {
    add,
    remove(task) {
      const pool = poolOf(task.pool)
      const lane = pool.lanes.get(task.lane)
      const ids = lane?.byPriority.get(task.priority)
      if (lane && ids?.remove(task.id)) drop(pool, task.lane, lane, task.priority, ids)
    },
    take(poolName) {
      const pool = poolOf(poolName)
      if (pool.turn >= pool.order.length) pool.turn = 0
      const laneId = pool.order[pool.turn]
      const lane = laneId === undefined ? undefined : pool.lanes.get(laneId)
      const priority = lane?.priorities[0]
      const ids = priority === undefined ? undefined : lane?.byPriority.get(priority)
      if (laneId === undefined || !lane || priority === undefined || !ids) return null
      const id = ids.shift()
      pool.turn++
      drop(pool, laneId, lane, priority, ids)
      return { id, pool: poolName as ReadyTask['pool'], lane: laneId, priority }
    },
    has: pool => poolOf(pool).size > 0,
    size: pool => poolOf(pool).size,
    position(task) {
      const pool = poolOf(task.pool)
      const lane = pool.lanes.get(task.lane)
      const rank = lane ? rankIn(lane, task) : null
      if (rank === null) return null
      const lanes = pool.order.length
      const turnsUntil = (index: number) => (index - (pool.turn % lanes) + lanes) % lanes
      const mine = turnsUntil(pool.order.indexOf(task.lane))
      let ahead = rank
      for (const [index, laneId] of pool.order.entries()) {
        if (laneId === task.lane) continue
        const rounds = rank + (turnsUntil(index) < mine ? 1 : 0)
        ahead += Math.min(pool.lanes.get(laneId)?.size ?? 0, rounds)
      }
      return ahead + 1
    },
    reload(tasks) {
      pools.clear()
      for (const task of tasks) add(task)
    },
  }
}

type Lane = { byPriority: Map<number, SortedIds>; priorities: number[]; size: number }
type PoolLanes = { lanes: Map<number, Lane>; order: number[]; turn: number; size: number }

function rankIn(lane: Lane, task: ReadyTask): number | null {
  let ahead = 0
  for (const priority of lane.priorities) {
    const ids = lane.byPriority.get(priority)
    if (priority === task.priority) {
      const rank = ids?.rank(task.id) ?? null
      return rank === null ? null : ahead + rank
    }
    ahead += ids?.size ?? 0
  }
  return null
}

/** Half of a long array is dead before it is copied, so that shifting stays cheap on average. */
const COMPACT_AT = 1_024

/** Ids in order. New ones are nearly always the greatest and the first goes nearly always. */
class SortedIds {
  private ids: number[] = []
  private head = 0

  get size(): number {
    return this.ids.length - this.head
  }

  add(id: number): boolean {
    const last = this.ids.at(-1)
    if (this.size === 0 || last === undefined || id > last) {
      this.ids.push(id)
      return true
    }
    const index = this.lowerBound(id)
    if (this.ids[index] === id) return false
    this.ids.splice(index, 0, id)
    return true
  }

  remove(id: number): boolean {
    const index = this.lowerBound(id)
    if (this.ids[index] !== id) return false
    if (index === this.head) this.shift()
    else this.ids.splice(index, 1)
    return true
  }

  shift(): number {
    const id = this.ids[this.head] ?? 0
    this.head++
    if (this.head > COMPACT_AT && this.head * 2 > this.ids.length) {
      this.ids = this.ids.slice(this.head)
      this.head = 0
    }
    return id
  }

  rank(id: number): number | null {
    const index = this.lowerBound(id)
    return this.ids[index] === id ? index - this.head : null
  }

  private lowerBound(id: number): number {
    let low = this.head
    let high = this.ids.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.ids[middle] ?? 0) < id) low = middle + 1
      else high = middle
    }
    return low
  }
}

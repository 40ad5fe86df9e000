import {
  attemptRows,
  imageOfDisk,
  jobRow,
  rebootFrom,
  rows,
  run,
  type Stage,
} from '@test/domain/jobs/stage'
import type { JobId } from '@/base/ids'
import type { Storage } from '@/storage/spec'

/**
 * Where a process may die: before and after every commit, at every step of every call that leaves
 * the house, and before and after every blob. `states` is what is on the disk then.
 */
export type Point = { name: string; states: string }

/**
 * Calls `onPoint` at every such point of this hub's life. A promise that it returns and that never
 * ends freezes that part of the hub for good. Answers how to stop looking at the world outside.
 */
export function observe(on: Stage, id: JobId, onPoint: (point: Point) => Promise<void> | void) {
  const { writer } = on.deps.db
  const storage = on.deps.storage as { -readonly [Name in keyof Storage]: Storage[Name] }
  const { enqueue } = writer
  const { put, delete: remove } = storage
  const world = [...on.providers, on.web]
  const at = async (name: string) => await onPoint({ name, states: statesOf(on, id) })

  writer.enqueue = async change => {
    await at('write:before')
    const answer = await enqueue(change)
    await at('write:after')
    return answer
  }
  storage.put = async (key, content) => {
    await at('put:before')
    await put(key, content)
    await at('put:after')
  }
  storage.delete = async key => {
    await at('delete:before')
    await remove(key)
    await at('delete:after')
  }
  for (const each of world) each.onStep = at
  return () => {
    for (const each of world) each.onStep = () => {}
  }
}

/** `queued`, `running waiting`, `succeeded refused succeeded`: the job and its attempts. */
function statesOf(on: Stage, id: JobId): string {
  return [jobRow(on, id).status, ...attemptRows(on, id).map(row => row.state)].join(' ')
}

/**
 * Starts the hub and runs it until `isDeath` says yes. Answers the next life of the process on what
 * was on the disk at that moment, not started yet. Null when the hub came to its end alive.
 */
export async function liveUntil(
  on: Stage,
  id: JobId,
  isDeath: (point: Point, index: number) => boolean,
): Promise<Stage | null> {
  const death = Promise.withResolvers<string>()
  const never = new Promise<never>(() => {})
  let index = 0
  let isDead = false
  const lookAway = observe(on, id, point => {
    if (isDead) return never
    if (!isDeath(point, index++)) return
    isDead = true
    death.resolve(imageOfDisk(on))
    return never
  })
  const image = await Promise.race([death.promise, live(on)])
  lookAway()
  if (image === null) return null
  await on.abandon()
  return await rebootFrom(image, on, false)
}

/** Ends when nothing is left to be done. */
async function live(on: Stage): Promise<null> {
  await on.runner.start()
  for (;;) {
    await run(on)
    const [next] = rows<{ at: number | null }>(
      on,
      `SELECT min(run_at) AS at FROM tasks WHERE state = 'scheduled'`,
    )
    if (!next || next.at === null) return null
    on.clock.advance(Math.max(next.at - on.clock.now(), 0))
  }
}

/**
 * Hints inside one process: "something changed, look again". Published only after a commit; whoever hears
 * one reads the database. Losing a hint costs time, never truth.
 */
export type Topics = {
  'task.ready': { id: number; pool: string; lane: number; priority: number }
  'task.scheduled': { runAt: number }
  'task.gone': { id: number; pool: string; lane: number; priority: number }
  'job.changed': { jobId: number }
  /** Another process committed: caches and in-memory pictures of rows are stale. */
  'foreign.commit': null
}

export type Bus = {
  /** Tells everybody; what a listener throws comes out after all were told. */
  publish<Name extends keyof Topics>(topic: Name, value: Topics[Name]): void
  /** Answers the way to stop listening. */
  subscribe<Name extends keyof Topics>(
    topic: Name,
    listen: (value: Topics[Name]) => void,
  ): () => void
}

export function createBus(): Bus {
  const listeners = new Map<string, Set<(value: never) => void>>()
  return {
    publish(topic, value) {
      const errors: unknown[] = []
      for (const listen of listeners.get(topic) ?? []) {
        try {
          ;(listen as (value: unknown) => void)(value)
        } catch (error) {
          // The others are told all the same: each waits for a request of its own.
          errors.push(error)
        }
      }
      if (errors.length > 0) throw errors[0]
    },
    subscribe(topic, listen) {
      const known = listeners.get(topic) ?? new Set()
      listeners.set(topic, known)
      known.add(listen)
      return () => known.delete(listen)
    },
  }
}

import { invariant } from '@/base/invariant'

/** A bound on what is done at once: so much room, and a line in front of it. */
export type Turnstile = {
  /**
   * Waits until there is room for `weight`, does the work and gives the room back however it ends. First
   * come, first served: what is heavy waits until enough is free, and nothing light overtakes it. What
   * weighs more than the whole room goes alone.
   * @throws LeftLine when the signal ends before its turn came; the work has not begun then.
   */
  pass<T>(signal: AbortSignal, work: () => Promise<T>, weight?: number): Promise<T>
  stats(): { taken: number; waiting: number }
}

/** Its signal ended while it stood in line. The signal's reason is the cause. */
export class LeftLine extends Error {
  override readonly name = 'LeftLine'
}

type Place = { weight: number; enter: () => void }

/** `room` in any unit: works, bytes. */
export function createTurnstile(room: number): Turnstile {
  invariant(room > 0, 'a turnstile without room lets nobody through')
  // A Set keeps the order of arrival, and whoever leaves from its middle costs nothing.
  const line = new Set<Place>()
  let taken = 0

  const letIn = () => {
    for (const first of line) {
      if (taken + first.weight > room) return
      line.delete(first)
      taken += first.weight
      first.enter()
    }
  }

  const turnOf = (weight: number, signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const leave = () => {
        line.delete(place)
        reject(new LeftLine('its turn did not come in time', { cause: signal.reason }))
        // Whoever stood behind a heavy one may fit now.
        letIn()
      }
      const enter = () => {
        // Signals outlive works; a listener left behind would hold its place in memory.
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const place = { weight, enter }
      if (signal.aborted) return leave()
      signal.addEventListener('abort', leave, { once: true })
      line.add(place)
      letIn()
    })

  return {
    async pass(signal, work, weight = 1) {
      // NaN would make every comparison false, and the line would never move again.
      invariant(weight >= 0, 'a weight is a number')
      const share = Math.min(weight, room)
      await turnOf(share, signal)
      try {
        return await work()
      } finally {
        taken -= share
        letIn()
      }
    },
    stats: () => ({ taken, waiting: line.size }),
  }
}

import type { Db } from '@/db/open'

export class Crash extends Error {}

/** Lets the process die, as far as a change can see it: at the `at`th statement, which is not run any more. */
export type CrashSwitch = { arm(at: number | null): void }

export function crashSwitch(db: Db): CrashSwitch {
  let left: number | null = null
  const real = db.prepared
  const prepared = new Proxy(real, {
    get(target, name, receiver) {
      if (left !== null && typeof name === 'string' && /^\d+$/.test(name) && --left === 0) {
        left = null
        throw new Crash('the process died here')
      }
      return Reflect.get(target, name, receiver)
    },
  })
  Object.assign(db, { prepared })
  return {
    arm(at) {
      left = at
    },
  }
}

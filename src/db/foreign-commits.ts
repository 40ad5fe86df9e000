import type { Db } from './open'

/**
 * A shell command may change the database beside a running server. SQLite's data_version moves only for
 * other connections' commits and costs 5 us, so it is read once in a turn of the loop.
 */
export type ForeignCommits = { check(): void }

export function watchForeignCommits(db: Db): ForeignCommits {
  const read = db.sqlite.prepare('PRAGMA data_version')
  const version = () => (read.get() as { data_version: number }).data_version
  let known = version()
  let isFresh = false
  return {
    check() {
      if (isFresh) return
      isFresh = true
      setImmediate(() => {
        isFresh = false
      })
      const now = version()
      if (now === known) return
      known = now
      db.bus.publish('foreign.commit', null)
    },
  }
}

import { watchForeignCommits } from '@/db/foreign-commits'
import { command } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import { finish } from '@/queue/finish'
import { createLanes } from '@/queue/lanes'
import { createRunner } from '@/queue/runner'
import { openTestDb, testLog } from './test-db'

// Run as a process of its own: runs what is in the database named by its argument until nothing is due.
// A task of kind `poison` kills the process; one of kind `slow` takes a while and leaves a mark in the
// same write that ends it, and a second mark would be an error.
const SLOW_MS = 15

const mark = command<{ name: string; now: number }>(
  'INSERT INTO settings VALUES ($name, $name, $now)',
)
const leaveMark = (tx: Tx, name: string) => mark.run(tx, { name, now: tx.now })

const db = openTestDb(process.argv[2] ?? '')
const runner = createRunner({
  db,
  log: testLog(),
  lanes: createLanes(),
  foreign: watchForeignCommits(db),
  bootId: await write(db, tx => tx.id()),
  kinds: {
    poison: {
      pool: 'jobs',
      timeoutMs: 60_000,
      maxFailures: 3,
      async handle() {
        process.kill(process.pid, 'SIGKILL')
        return await new Promise(() => {})
      },
      giveUp: (tx, task, reason) => void leaveMark(tx, `${reason} ${task.id}`),
    },
    slow: {
      pool: 'jobs',
      timeoutMs: 60_000,
      maxFailures: 3,
      async handle(claim) {
        await Bun.sleep(SLOW_MS)
        await write(db, tx => {
          leaveMark(tx, `done ${claim.task.id}`)
          finish(tx, claim)
        })
        return { outcome: 'handled' }
      },
      giveUp: (tx, task, reason) => void leaveMark(tx, `innocent ${reason} ${task.id}`),
    },
  },
})
await runner.start()
await runner.settleAll()
await runner.stop(0)
db.close()

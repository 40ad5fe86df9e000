import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { openTestDb, testDb } from '@test/support/test-db'
import { write } from '@/db/write'
import { enqueue } from '@/queue/enqueue'
import { allRows, type TaskRow } from './rig'

const PROGRAM = join(import.meta.dir, '../support/run-tasks.ts')
/** Far above what is allowed, so that a poison that is never blamed ends the test and not the patience. */
const LIVES_MAX = 12

type Story = {
  poison: number[]
  innocent: number[]
  deaths: number
  /** What the tasks left behind, by name. */
  marks: string[]
  rows: TaskRow[]
}

/** Starts the process again and again until it ends by itself. */
async function live(kinds: ('poison' | 'slow')[]): Promise<Story> {
  const db = testDb()
  const made = await write(db, tx =>
    kinds.map(kind => {
      const id = tx.id()
      enqueue(tx, { id, kind, pool: 'jobs', payload: {} })
      return { id, kind }
    }),
  )
  db.close()
  let deaths = 0
  for (; deaths < LIVES_MAX; deaths++) {
    const child = Bun.spawn([process.execPath, PROGRAM, db.path], { stderr: 'inherit' })
    await child.exited
    if (child.signalCode === null) {
      expect(child.exitCode).toBe(0)
      break
    }
    expect(child.signalCode).toBe('SIGKILL')
  }
  const after = openTestDb(db.path)
  const names = after.sqlite.query('SELECT name FROM settings ORDER BY name').all()
  const rows = allRows(after)
  after.close()
  const idsOf = (kind: string) => made.filter(task => task.kind === kind).map(task => task.id)
  return {
    poison: idsOf('poison'),
    innocent: idsOf('slow'),
    deaths,
    marks: (names as { name: string }[]).map(row => row.name),
    rows,
  }
}

const SLOW = 'slow' as const

describe('a task that kills the process', () => {
  test.concurrent('beside innocent ones: three deaths at most, then it is given up once and all others are done', async () => {
    const story = await live([SLOW, SLOW, SLOW, 'poison', SLOW, SLOW, SLOW])
    expect(story.deaths).toBeLessThanOrEqual(3)
    expect(story.rows).toEqual([])
    expect(story.marks).toEqual(
      [...story.innocent.map(id => `done ${id}`), ...story.poison.map(id => `poison ${id}`)].sort(),
    )
  }, 20_000)

  test.concurrent('in company of a second one: each is given up once, nobody else', async () => {
    const story = await live(['poison', SLOW, SLOW, 'poison', SLOW])
    expect(story.deaths).toBeLessThanOrEqual(4)
    expect(story.rows).toEqual([])
    expect(story.marks).toEqual(
      [...story.innocent.map(id => `done ${id}`), ...story.poison.map(id => `poison ${id}`)].sort(),
    )
  }, 20_000)
})

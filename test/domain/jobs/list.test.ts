import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { testApp } from '@test/support/test-hub'
import type { JobId, UserId } from '@/base/ids'
import type { JobStatus } from '@/db/schema'
import { write } from '@/db/write'
import { type JobFilter, listJobs, type Scope } from '@/domain/jobs'
import { create } from '@/domain/users'
import { closeStages, type Stage, stage } from './stage'

let on: Stage
let users: UserId[]

beforeEach(async () => {
  on = await stage({ hub: { isRunning: false } })
  users = []
  for (const externalId of ['first', 'second']) {
    users.push((await create(on.deps, on.realm, { externalId }, null)).user.id)
  }
})
afterEach(closeStages)

const ALL: JobFilter = { statuses: [], model: null }
const NEWEST = Number.MAX_SAFE_INTEGER
const STATUSES: JobStatus[] = ['queued', 'running', 'succeeded', 'failed', 'cancelled']

type Made = { status: JobStatus; user?: number; model?: string }

/** Jobs as rows, oldest first. What a list shows of them is not what runs them. */
async function make(jobs: Made[], realm = on.realm): Promise<JobId[]> {
  return await write(on.deps.db, tx =>
    jobs.map(({ status, user = 0, model = 'flux-dev' }) => {
      const id = tx.id<JobId>()
      const isOver = status !== 'queued' && status !== 'running'
      tx.db.sqlite.run(
        `INSERT INTO jobs (id, realm_id, user_id, kind, model_id, model_name, status, priority,
           num_outputs, quote, tokens_charged, metadata, error_code, created_at, completed_at)
         VALUES (?, ?, ?, 'image', 1, ?, ?, 10, 1, '{}', 0, '{}', ?, ?, ?)`,
        [
          id,
          realm.id,
          users[user] ?? 0,
          model,
          status,
          status === 'failed' ? 'timeout' : null,
          tx.now,
          isOver ? tx.now : null,
        ],
      )
      return id
    }),
  )
}

function scope(user: number | null = null): Scope {
  return { realmId: on.realm.id, userId: user === null ? null : (users[user] ?? null) }
}

function page(filter: JobFilter, before: number, limit: number, of = scope()) {
  const { jobs, next } = listJobs(on.deps, of, filter, { before, limit })
  return { ids: jobs.map(job => job.id), next }
}

function allPages(filter: JobFilter, limit: number, of = scope()): { ids: JobId[]; pages: number } {
  const ids: JobId[] = []
  let before: number | null = NEWEST
  let pages = 0
  while (before !== null) {
    const found = page(filter, before, limit, of)
    ids.push(...found.ids)
    before = found.next
    pages++
  }
  return { ids, pages }
}

const mixed = (count: number): Made[] =>
  Array.from({ length: count }, (_, index) => ({
    status: STATUSES[index % STATUSES.length] ?? 'queued',
    user: index % 3 === 0 ? 1 : 0,
    model: index % 4 === 0 ? 'sdxl' : 'flux-dev',
  }))

describe('pages', () => {
  test('hold every job once, newest first, whatever their size', async () => {
    const ids = await make(mixed(30))
    for (const limit of [1, 7, 29, 30, 31, 100]) {
      expect(allPages(ALL, limit).ids).toEqual(ids.toReversed())
    }
  })

  test('have no next one after the last, also when the last is full', async () => {
    await make(mixed(6))
    expect(page(ALL, NEWEST, 6).next).toBeNull()
    expect(page(ALL, NEWEST, 7).next).toBeNull()
    expect(page(ALL, NEWEST, 5).next).not.toBeNull()
    expect(allPages(ALL, 3).pages).toBe(2)
  })

  test('of nothing are empty and the last', () => {
    expect(page(ALL, NEWEST, 20)).toEqual({ ids: [], next: null })
  })

  test.each([
    ['without a filter', ALL],
    ['of active jobs', { statuses: ['queued', 'running'], model: null }],
    ['of failed jobs', { statuses: ['failed'], model: null }],
    ['of one model', { statuses: [], model: 'flux-dev' }],
  ] as [string, JobFilter][])('%s stay as they are while jobs arrive', async (_, filter) => {
    await make(mixed(20))
    const expected = allPages(filter, 100).ids
    const seen: JobId[] = []
    let before: number | null = NEWEST
    while (before !== null) {
      const found = page(filter, before, 2)
      seen.push(...found.ids)
      before = found.next
      await make(mixed(5))
    }
    expect(seen).toEqual(expected)
  })
})

describe('filters', () => {
  const FILTERS: JobFilter[] = [
    ...STATUSES.map(status => ({ statuses: [status], model: null })),
    { statuses: ['queued', 'running'], model: null },
    { statuses: ['failed', 'cancelled'], model: null },
    { statuses: ['succeeded', 'failed'], model: null },
    { statuses: ['queued', 'cancelled'], model: null },
    { statuses: [...STATUSES], model: null },
    { statuses: ['queued', 'queued'], model: null },
    { statuses: ['failed', 'failed', 'failed'], model: null },
    { statuses: [], model: 'sdxl' },
    { statuses: ['running'], model: 'sdxl' },
    { statuses: ['succeeded', 'failed'], model: 'sdxl' },
    { statuses: [], model: 'no-such-model' },
  ]
  test.each(FILTERS.map(filter => [JSON.stringify(filter), filter] as const))(
    '%s shows what fits and nothing else, for the app and for one user',
    async (_, filter) => {
      const jobs = mixed(60)
      const ids = await make(jobs)
      for (const user of [null, 0, 1]) {
        const expected = ids.filter((_, index) => {
          const job = jobs[index]
          if (!job) return false
          const isUsers = user === null || job.user === user
          const isOfState = filter.statuses.length === 0 || filter.statuses.includes(job.status)
          return isUsers && isOfState && (filter.model === null || filter.model === job.model)
        })
        expect(allPages(filter, 4, scope(user)).ids).toEqual(expected.toReversed())
      }
    },
  )

  test('never show another app’s or another mode’s jobs', async () => {
    const other = await testApp(on.deps)
    for (const realm of [other.realms.live, other.realms.test, on.app.realms.test]) {
      const { user } = await create(on.deps, realm, { externalId: 'first' }, null)
      users.push(user.id)
      await make([{ status: 'queued', user: users.length - 1 }], realm)
    }
    for (const filter of [ALL, { statuses: ['queued' as const], model: null }]) {
      expect(allPages(filter, 10).ids).toEqual([])
    }
  })
})

describe('a filter without an index', () => {
  const WALK = 2_000

  test('looks at 2,000 jobs and hands back where to go on, even with an empty page', async () => {
    const rare = await make([{ status: 'succeeded', model: 'sdxl' }])
    const newer = await make(Array.from({ length: WALK }, () => ({ status: 'succeeded' as const })))
    const filter: JobFilter = { statuses: [], model: 'sdxl' }
    const first = page(filter, NEWEST, 20)
    expect(first).toEqual({ ids: [], next: newer[0] ?? null })
    expect(page(filter, first.next ?? 0, 20)).toEqual({ ids: rare, next: null })
    expect(allPages(filter, 20)).toEqual({ ids: rare, pages: 2 })
  })

  test('goes on right behind the last that was shown when a page is full', async () => {
    const jobs = Array.from(
      { length: WALK + 50 },
      (_, index): Made => ({
        status: 'succeeded',
        model: index % 100 === 0 ? 'sdxl' : 'flux-dev',
      }),
    )
    const ids = await make(jobs)
    const expected = ids.filter((_, index) => index % 100 === 0).toReversed()
    for (const limit of [1, 5, 20, 100]) {
      expect(allPages({ statuses: [], model: 'sdxl' }, limit).ids).toEqual(expected)
    }
  })
})

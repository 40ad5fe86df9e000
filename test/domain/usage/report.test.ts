import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  closeStages,
  MODEL,
  rows,
  run,
  runOut,
  type Stage,
  stage,
  submit,
  TEXT_MODEL,
  userId,
} from '@test/domain/jobs/stage'
import { fakeClock } from '@test/support/fake-clock'
import {
  bytes,
  done,
  doneAt,
  fails,
  fakeProvider,
  pendingForEver,
  picture,
} from '@test/support/fake-provider'
import { testDb } from '@test/support/test-db'
import { DAY, dayOf, HOUR } from '@/base/clock'
import type { ModelId, RealmId, UserId } from '@/base/ids'
import { write } from '@/db/write'
import { bookLate, cancel } from '@/domain/jobs'
import {
  type DayRange,
  daysBefore,
  type Grouping,
  record,
  report,
  reportByUser,
  type Sums,
  writeDay,
} from '@/domain/usage'
import { erase } from '@/domain/users'

/**
 * Two weeks of an app by a seeded die: the reports say what a walk over its jobs says, whoever was cancelled,
 * erased or billed late meanwhile.
 */
const SEED = 20_260_115
const DAYS = 14
const PEOPLE = ['ann', 'bob', 'cy', 'dee', 'eve', 'fay', 'gus', 'hal', 'ian', 'joe', 'kim']
const ERASED = ['cy', 'joe']
const ACTOR = { kind: 'key', id: 'key_test' } as const

let on: Stage
let ended: Ended[]
let whole: DayRange

/** A job as the reports should count it, taken from the job itself before anybody is erased. */
type Ended = Sums & { day: number; model: string; provider: string | null; user: UserId }

beforeAll(async () => {
  const [alpha, beta] = [fakeProvider({ name: 'alpha' }), fakeProvider({ name: 'beta' })]
  on = await stage({ providers: [alpha, beta], webhookUrl: null, tokens: 100_000 })
  const first = dayOf(on.clock.now())
  const pick = seeded(SEED)
  const scope = { realmId: on.realm.id, userId: null }
  for (let day = 0; day < DAYS; day++) {
    for (let i = pick(9); i > 0; i--) {
      alpha.script(
        [doneAt(100 + pick(900), bytes(picture(1)), bytes(picture(2))), done(bytes(picture()))][
          pick(2)
        ] ?? done(),
        fails('rejected'),
        fails('unavailable'),
        pendingForEver(),
      )
      beta.script(doneAt(pick(500), bytes(picture(3))))
      for (let n = 1 + pick(4); n > 0; n--) {
        const id = await submit(on, {
          externalId: PEOPLE[pick(PEOPLE.length)] ?? 'ann',
          model: pick(3) === 0 ? TEXT_MODEL : MODEL,
          realm: pick(6) === 0 ? on.app.realms.test : on.realm,
          input: { num_outputs: 1 + pick(3) },
        })
        if (pick(8) === 0) await cancel(on.deps, ACTOR, scope, id, null).catch(() => null)
        else await run(on)
        if (pick(5) === 0) await write(on.deps.db, tx => bookLate(tx, id, 2_000 + pick(9_000)))
      }
    }
    on.clock.advance(DAY - HOUR + pick(2 * HOUR))
    await run(on)
  }
  await runOut(on)
  for (const { id } of rows<{ id: number }>(on, `SELECT id FROM jobs WHERE status = 'cancelled'`)) {
    await write(on.deps.db, tx => bookLate(tx, id as never, 12_345))
  }
  whole = { from: first, to: dayOf(on.clock.now()) }
  ended = endedJobs(on.realm.id)
  for (const name of ERASED) await erase(on.deps, ACTOR, on.realm, name)
  await run(on)
})
afterAll(closeStages)

function endedJobs(realmId: RealmId): Ended[] {
  const found = rows<Record<string, number> & { status: string; model: string; provider: string }>(
    on,
    `SELECT j.*, j.model_name AS model, j.provider_used AS provider,
       (SELECT count(*) FROM job_outputs o WHERE o.job_id = j.id) AS outputs
     FROM jobs j WHERE j.realm_id = ? AND j.completed_at IS NOT NULL`,
    realmId,
  )
  const number = (value: unknown) => value as number
  return found.map(job => ({
    day: dayOf(number(job.completed_at)),
    model: job.model,
    provider: job.provider,
    user: job.user_id as UserId,
    jobs: 1,
    succeeded: Number(job.status === 'succeeded'),
    failed: Number(job.status === 'failed'),
    cancelled: Number(job.status === 'cancelled'),
    outputs: number(job.outputs),
    tokens: number(job.tokens_charged) - number(job.tokens_refunded),
    costMicroUsd: number(job.cost_micro_usd),
    durationMs: number(job.completed_at) - number(job.created_at),
  }))
}

/** Mulberry32. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below)
  }
}

const FIELDS = [
  'jobs',
  'succeeded',
  'failed',
  'cancelled',
  'outputs',
  'tokens',
  'costMicroUsd',
  'durationMs',
] as const

const inRange = ({ from, to }: DayRange, who?: UserId) =>
  ended.filter(job => job.day >= from && job.day <= to && (who ?? job.user) === job.user)

const sumOf = (jobs: Ended[]) =>
  Object.fromEntries(
    FIELDS.map(field => [field, jobs.reduce((sum, job) => sum + job[field], 0)]),
  ) as Sums

function expectedBy<Key>(jobs: Ended[], keyOf: (job: Ended) => Key): Map<Key, Sums> {
  return new Map([...Map.groupBy(jobs, keyOf)].map(([key, group]) => [key, sumOf(group)]))
}

const KEY: Record<Grouping, (job: Ended) => string | null> = {
  day: job => writeDay(job.day),
  model: job => job.model,
  provider: job => job.provider,
}

/** The whole time, a part of it, single days, and a year around it. */
function ranges(): DayRange[] {
  return [
    whole,
    { from: daysBefore(whole.to, 9), to: daysBefore(whole.to, 3) },
    ...[1, 4, 8].map(back => ({
      from: daysBefore(whole.to, back),
      to: daysBefore(whole.to, back),
    })),
    { from: daysBefore(whole.to, 380), to: daysBefore(whole.to, -19) },
  ]
}

test('the history has some of everything', () => {
  expect(ended.length).toBeGreaterThan(60)
  const all = sumOf(ended)
  for (const field of FIELDS) expect([field, all[field] > 3]).toEqual([field, true])
  expect(new Set(ended.map(job => job.provider))).toEqual(new Set(['alpha', 'beta', null]))
  expect(new Set(ended.map(job => job.model)).size).toBe(2)
  expect(new Set(ended.map(job => job.day)).size).toBeGreaterThan(8)
  expect(endedJobs(on.app.realms.test.id).length).toBeGreaterThan(5)
})

describe.each(['day', 'model', 'provider'] as const)('by %s', grouping => {
  test('it is what the jobs say, and the totals are their sum', async () => {
    for (const range of ranges()) {
      const scope = { realmId: on.realm.id, userId: null }
      const { groups, totals } = await report(on.deps.db, scope, range, grouping)
      const found = new Map(groups.map(({ name, ...sums }) => [name, sums]))
      expect(found).toEqual(expectedBy(inRange(range), KEY[grouping]))
      expect(found.size).toBe(groups.length)
      expect(totals).toEqual(sumOf(inRange(range)))
    }
  })
  test('it is that of one user, if asked for one', async () => {
    for (const range of ranges()) {
      for (const id of [userId(on, 'ann'), userId(on, 'bob'), userId(on, 'kim')]) {
        const scope = { realmId: on.realm.id, userId: id }
        const { groups, totals } = await report(on.deps.db, scope, range, grouping)
        const found = new Map(groups.map(({ name, ...sums }) => [name, sums]))
        expect(found).toEqual(expectedBy(inRange(range, id), KEY[grouping]))
        expect(totals).toEqual(sumOf(inRange(range, id)))
      }
    }
  })
})

describe('by user', () => {
  const read = (range: DayRange, page: { before: number; limit: number }) =>
    reportByUser(on.deps.db, { realmId: on.realm.id, userId: null }, range, page)

  test('it is what the jobs say, in pages of any size, the newest user first', async () => {
    for (const range of ranges()) {
      const expected = expectedBy(inRange(range), job => job.user)
      for (const limit of [1, 2, 3, 5, 100]) {
        const found = []
        for (let before = Number.MAX_SAFE_INTEGER; ; ) {
          const page = await read(range, { before, limit })
          found.push(...page)
          expect(page.length).toBeLessThanOrEqual(limit)
          if (page.length < limit) break
          before = page.at(-1)?.id ?? 0
        }
        const ids = found.map(user => user.id)
        expect(ids).toEqual([...expected.keys()].sort((a, b) => b - a))
        const sums = found.map(({ id, externalId: _, ...own }) => [id, own] as const)
        expect(new Map(sums)).toEqual(expected)
      }
    }
  })
  test('who was erased is counted and has no name', async () => {
    const users = await read(whole, { before: Number.MAX_SAFE_INTEGER, limit: 100 })
    const names = users.map(user => user.externalId)
    expect(names.filter(name => name === null)).toHaveLength(ERASED.length)
    expect(names.filter(name => name !== null).toSorted()).toEqual(
      PEOPLE.filter(name => !ERASED.includes(name)),
    )
  })
  test('of one user it is that user, and after it nobody', async () => {
    const id = userId(on, 'dee')
    const scope = { realmId: on.realm.id, userId: id }
    const page = (before: number) => reportByUser(on.deps.db, scope, whole, { before, limit: 10 })
    expect(await page(Number.MAX_SAFE_INTEGER)).toEqual([
      { id, externalId: 'dee', ...sumOf(inRange(whole, id)) },
    ])
    expect(await page(id)).toEqual([])
  })
})

describe('a page of users', () => {
  /** Who ended a job on which day, by numbers that say who is the newest. */
  const pageOf = async (days: number[][], limit: number) => {
    const clock = fakeClock()
    const db = testDb({ clock })
    const job = { modelId: 1 as ModelId, provider: 'alpha', outputs: 1, tokens: 1, costMicroUsd: 1 }
    for (const users of days) {
      for (const user of users) {
        const ended = { ...job, realmId: 1 as RealmId, userId: user as UserId, durationMs: 1 }
        await write(db, tx => record(tx, { ...ended, status: 'succeeded' }))
      }
      clock.advance(DAY)
    }
    const to = dayOf(clock.now())
    const scope = { realmId: 1 as RealmId, userId: null }
    const page = { before: Number.MAX_SAFE_INTEGER, limit }
    const found = await reportByUser(db, scope, { from: daysBefore(to, 60), to }, page)
    db.close()
    return found.map(({ id, jobs }) => [id, jobs])
  }
  test('has those who were here on other days only, until it is full', async () => {
    expect(await pageOf([[1, 2], [7], [5, 6]], 9)).toEqual([
      [7, 1],
      [6, 1],
      [5, 1],
      [2, 1],
      [1, 1],
    ])
    expect(
      await pageOf(
        [
          [3, 9],
          [1, 2, 4],
          [5, 6, 7],
        ],
        4,
      ),
    ).toEqual([
      [9, 1],
      [7, 1],
      [6, 1],
      [5, 1],
    ])
  })
  test('counts all days of its last, however late others pushed in', async () => {
    const days = [[4, 8, 9], [4, 5], [4, 5, 6], ...Array(30).fill([4, 5])]
    expect(await pageOf(days, 3)).toEqual([
      [9, 1],
      [8, 1],
      [6, 1],
    ])
    expect(await pageOf(days, 4)).toEqual([
      [9, 1],
      [8, 1],
      [6, 1],
      [5, 32],
    ])
  })
})

test('days come newest first, models and providers the most expensive first', async () => {
  const scope = { realmId: on.realm.id, userId: null }
  const days = await report(on.deps.db, scope, whole, 'day')
  const names = days.groups.map(group => group.name ?? '')
  expect(names).toEqual(names.toSorted().reverse())
  for (const grouping of ['model', 'provider'] as const) {
    const { groups } = await report(on.deps.db, scope, whole, grouping)
    const costs = groups.map(group => group.costMicroUsd)
    expect(costs).toEqual(costs.toSorted((a, b) => b - a))
  }
})

test('the other mode and another app have reports of their own', async () => {
  const other = { realmId: on.app.realms.test.id, userId: null }
  const { totals } = await report(on.deps.db, other, whole, 'day')
  expect(totals).toEqual(sumOf(endedJobs(other.realmId)))
  expect(totals.jobs).not.toBe(sumOf(ended).jobs)
  const nobody = { realmId: 1 as RealmId, userId: null }
  expect((await report(on.deps.db, nobody, whole, 'model')).groups).toEqual([])
})

test('a scope that is nobody sees nothing', async () => {
  const none = await report(on.deps.db, null, whole, 'day')
  expect([none.groups, none.totals.jobs]).toEqual([[], 0])
  expect(await reportByUser(on.deps.db, null, whole, { before: 2 ** 52, limit: 10 })).toEqual([])
})

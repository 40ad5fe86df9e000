import { afterEach, describe, expect, test } from 'bun:test'
import {
  attemptRows,
  balance,
  blobNames,
  COST,
  closeStages,
  copyOfImage,
  expectBlobsMatchRows,
  expectEndedOnce,
  expectMoney,
  imageOfDisk,
  jobRow,
  outputBytes,
  rebootFrom,
  runOut,
  START_TOKENS,
  type Stage,
  stage,
  submit,
  WEBHOOK_URL,
} from '@test/domain/jobs/stage'
import { fakeClock } from '@test/support/fake-clock'
import {
  at,
  bytes,
  done,
  type FakeProviderOptions,
  fails,
  fakeProvider,
  pending,
  picture,
  type Script,
} from '@test/support/fake-provider'
import { fakeWeb } from '@test/support/fake-vendor'
import type { JobId } from '@/base/ids'
import { liveUntil, type Point } from './mortal'

afterEach(closeStages)

const FIRST = 'https://vendor.example.com/first.png'
const SECOND = 'https://vendor.example.com/second.png'
const ADDRESSES = done(at(FIRST), at(SECOND))
const IN_HAND = done(bytes(picture(1)), bytes(picture(2)))

type Scenario = {
  vendor: FakeProviderOptions
  scripts: Script[]
}

const SCENARIOS: Record<string, Scenario> = {
  'asynchronous, addresses': {
    vendor: {},
    scripts: [pending(1, ADDRESSES)],
  },
  'asynchronous, bytes': { vendor: {}, scripts: [pending(1, IN_HAND)] },
  'synchronous, addresses': { vendor: {}, scripts: [ADDRESSES] },
  'synchronous, bytes': { vendor: {}, scripts: [IN_HAND] },
  'asynchronous, found by its reference': {
    vendor: { canFind: true },
    scripts: [pending(1, ADDRESSES)],
  },
  'synchronous, repeatable, bytes': {
    vendor: { startIsRepeatable: true },
    scripts: [IN_HAND],
  },
  'synchronous, repeatable, addresses': {
    vendor: { startIsRepeatable: true },
    scripts: [ADDRESSES],
  },
  'asynchronous, repeatable, bytes': {
    vendor: { startIsRepeatable: true },
    scripts: [pending(1, IN_HAND)],
  },
}

let submitted: { image: string; id: JobId; app: Stage['app'] } | null = null

/** A hub that was never started, with one job in its line, a fresh vendor and a fresh world. */
async function staged({ vendor, scripts }: Scenario): Promise<{ on: Stage; id: JobId }> {
  submitted ??= await submitOnce()
  const { image, id, app } = submitted
  const web = fakeWeb()
  web.serve(WEBHOOK_URL, 200)
  web.serve(FIRST, picture(1))
  web.serve(SECOND, picture(2))
  const providers = [fakeProvider(vendor)]
  const on = await rebootFrom(
    copyOfImage(image),
    { clock: fakeClock(), web, providers, app },
    false,
  )
  on.provider.script(...scripts)
  return { on, id }
}

async function submitOnce() {
  const on = await stage({ hub: { isRunning: false } })
  const id = await submit(on, { input: { num_outputs: 2 } })
  return { image: imageOfDisk(on), id, app: on.app }
}

const CHARGED = 2 * COST

/** Whatever happened: one end, the money in order, nothing started twice, no blob too many or too few. */
async function expectGoodEnd(on: Stage, id: JobId, succeeds: boolean | null): Promise<void> {
  const job = jobRow(on, id)
  expect(job.status).toBeOneOf(['succeeded', 'failed'])
  if (succeeds !== null) expect(job.status).toBe(succeeds ? 'succeeded' : 'failed')
  const isGood = job.status === 'succeeded'
  expectMoney(on, id, { charged: CHARGED, refunded: isGood ? 0 : CHARGED })
  expect(balance(on)).toEqual({ available: START_TOKENS - (isGood ? CHARGED : 0), reserved: 0 })
  expectEndedOnce(on, id, isGood ? 'job.completed' : 'job.failed')
  expect(attemptRows(on, id).filter(row => row.finished_at === null)).toEqual([])
  expect(await outputBytes(on, id)).toEqual(isGood ? [picture(1), picture(2)] : [])
  await expectBlobsMatchRows(on)
  expectToldOnce(on)
}

/** At least once on the wire, and always in the same words. */
function expectToldOnce(on: Stage) {
  const told = on.web.to(WEBHOOK_URL).map(call => ({
    body: call.init.body,
    id: new Headers(call.init.headers).get('webhook-id'),
  }))
  expect(told.length).toBeGreaterThan(0)
  for (const each of told) expect(each).toEqual(told[0] ?? each)
}

describe('the process dies', () => {
  const STEPS: [string, (point: Point, seen: number) => boolean, 'succeeded' | 'failed'][] = [
    ['before the start leaves the house', named('start:called'), 'failed'],
    ['while the start is in flight', named('start:begun'), 'failed'],
    ['after the vendor answered and before it was written', named('start:answered'), 'failed'],
    ['in front of the write of the answer', named('write:before', /starting$/), 'failed'],
    ['after the handle was written', named('write:after', /waiting$/), 'succeeded'],
    ['during a poll', named('poll:called'), 'succeeded'],
    ['after a poll was answered', named('poll:answered'), 'succeeded'],
    ['after the addresses were written', named('write:after', /produced$/), 'succeeded'],
    ['while an output is fetched', named('fetch:called', /produced$/), 'succeeded'],
    ['between the copies of two outputs', named('put:after', /produced$/), 'succeeded'],
    [
      'after the copies and before the end is written',
      named('write:before', /produced$/),
      'succeeded',
    ],
    ['after the end was written', named('write:after', /^succeeded/), 'succeeded'],
  ]

  for (const [step, isDeath, status] of STEPS) {
    const promise = status === 'succeeded' ? 'the job succeeds' : 'the job is refunded in time'
    test(`${step}: nothing is started twice, and ${promise}`, async () => {
      const { on, id } = await staged(scenario('asynchronous, addresses'))
      const next = await liveUntil(on, id, isDeath)
      if (!next) throw new Error('it did not die')
      expect(on.provider.starts.length).toBeLessThanOrEqual(1)
      await next.runner.start()
      await runOut(next)
      expect(on.provider.starts.length).toBeLessThanOrEqual(1)
      await expectGoodEnd(next, id, status === 'succeeded')
      if (status === 'failed') expect(jobRow(next, id).error_code).toBe('timeout')
    })
  }

  test('before anything was done: the job runs as if nothing had been', async () => {
    const { on, id } = await staged(scenario('asynchronous, addresses'))
    const next = await liveUntil(on, id, (_, index) => index === 0)
    if (!next) throw new Error('it did not die')
    await next.runner.start()
    await runOut(next)
    expect(on.provider.starts.length).toBe(1)
    await expectGoodEnd(next, id, true)
  })
})

describe('the process dies at each point there is', () => {
  for (const [name, each] of Object.entries(SCENARIOS)) {
    test(`${name}: one end, one charge, every blob has its row`, async () => {
      const points = await allPoints(each)
      expect(points.length).toBeGreaterThan(15)
      for (const [index, { name, states }] of points.entries()) {
        const { on, id } = await staged(each)
        const next = await liveUntil(on, id, (_, now) => now === index)
        if (!next) throw new Error(`it did not die at point ${index}`)
        const where = `point ${index}, ${name} at "${states}"`
        await explained(where, async () => {
          const before = [jobRow(next, id).status, ...attemptRows(next, id).map(row => row.state)]
          const hadBegun = on.provider.starts.length > 0
          await next.runner.start()
          await runOut(next)
          const canTell = each.vendor.canFind ? hadBegun : each.vendor.startIsRepeatable
          await expectGoodEnd(next, id, before.at(-1) !== 'starting' || canTell === true)
          if (!each.vendor.startIsRepeatable) {
            expect(on.provider.starts.length).toBeLessThanOrEqual(1)
          }
          if (before.includes('produced') || before.includes('waiting')) {
            expect(on.provider.starts.length).toBe(1)
          }
        })
        await next.close()
      }
    }, 20_000)
  }

  test('with a second vendor after the first: neither is started twice', async () => {
    const a = fakeProvider({ name: 'first' })
    const b = fakeProvider({ name: 'second' })
    const fresh = async () => {
      a.script(fails('unavailable'))
      b.script(pending(1, IN_HAND))
      for (const vendor of [a, b]) vendor.starts.length = 0
      const on = await stage({ providers: [a, b], hub: { isRunning: false } })
      return { on, id: await submit(on, { input: { num_outputs: 2 } }) }
    }
    for (let index = 0; ; index++) {
      const { on, id } = await fresh()
      const next = await liveUntil(on, id, (_, now) => now === index)
      if (!next) {
        expect(index).toBeGreaterThan(15)
        break
      }
      await explained(`point ${index}`, async () => {
        await next.runner.start()
        await runOut(next)
        expect(a.starts.length).toBeLessThanOrEqual(1)
        expect(b.starts.length).toBeLessThanOrEqual(1)
        await expectGoodEnd(next, id, null)
      })
      await next.close()
    }
  }, 20_000)
})

describe('a start is repeated after the process died with two blobs stored', () => {
  const AGAIN: [string, Script[], string[]][] = [
    ['makes one: the other blob goes', [done(bytes(picture(1)))], ['succeeded']],
    [
      'is unavailable: both go, and the next attempt has its own',
      [fails('unavailable'), done(bytes(picture(1)))],
      ['refused', 'succeeded'],
    ],
    ['is refused for good: both go', [fails('rejected')], ['refused']],
  ]
  test.each(AGAIN)('and now %s', async (_, scripts, attempts) => {
    const { on, id } = await staged(scenario('synchronous, repeatable, bytes'))
    const next = await liveUntil(on, id, named('write:before', /starting$/))
    if (!next) throw new Error('it did not die')
    expect(blobNames(next).length).toBe(2)
    on.provider.script(...scripts)
    await next.runner.start()
    await runOut(next)
    expect(attemptRows(next, id).map(row => row.state)).toEqual(attempts)
    const made = attempts.at(-1) === 'succeeded' ? 1 : 0
    expect(await outputBytes(next, id)).toEqual(made === 1 ? [picture(1)] : [])
    expectMoney(next, id, { charged: CHARGED, refunded: CHARGED - made * COST })
    await expectBlobsMatchRows(next)
  })
})

describe('the process dies more than once', () => {
  test('at two points of forty pairs: one end, one charge, at most one start', async () => {
    const random = seeded(20_260_115)
    const names = ['asynchronous, addresses', 'synchronous, addresses', 'asynchronous, bytes']
    for (let pair = 0; pair < 40; pair++) {
      const each = scenario(names[pair % names.length] ?? '')
      const [first, second] = [random(24), random(24)]
      const { on, id } = await staged(each)
      const secondLife = await liveUntil(on, id, (_, index) => index === first)
      const lastLife =
        secondLife && (await liveUntil(secondLife, id, (_, index) => index === second))
      const last = lastLife ?? secondLife ?? on
      await explained(`deaths at ${first} and ${second}`, async () => {
        if (lastLife) await lastLife.runner.start()
        await runOut(last)
        expect(on.provider.starts.length).toBeLessThanOrEqual(1)
        await expectGoodEnd(last, id, null)
      })
      await last.close()
    }
  }, 20_000)

  test('each time one job is started: that job is given up and refunded, and the next one runs', async () => {
    const each = scenario('synchronous, repeatable, bytes')
    const { on, id } = await staged(each)
    let life = on
    const dies = named('start:called')
    for (let deaths = 0; deaths < 3; deaths++) {
      const next = await liveUntil(life, id, point => dies(point))
      if (!next) throw new Error('it did not die')
      life = next
    }
    await life.runner.start()
    await runOut(life)
    expect(jobRow(life, id)).toMatchObject({ status: 'failed', error_code: 'internal' })
    expectMoney(life, id, { charged: CHARGED, refunded: CHARGED })
    expectEndedOnce(life, id, 'job.failed')
    const other = await submit(life)
    await runOut(life)
    expect(jobRow(life, other).status).toBe('succeeded')
    await expectBlobsMatchRows(life)
  })
})

function named(name: string, states = /./): (point: Point) => boolean {
  return point => point.name === name && states.test(point.states)
}

function scenario(name: string): Scenario {
  const found = SCENARIOS[name]
  if (!found) throw new Error(`no scenario ${name}`)
  return found
}

async function allPoints(each: Scenario): Promise<Point[]> {
  const points: Point[] = []
  const { on, id } = await staged(each)
  const next = await liveUntil(on, id, point => {
    points.push(point)
    return false
  })
  expect(next).toBeNull()
  await expectGoodEnd(on, id, true)
  await on.close()
  return points
}

async function explained(where: string, check: () => Promise<void>): Promise<void> {
  try {
    await check()
  } catch (error) {
    throw new Error(`${where}: ${error instanceof Error ? error.message : error}`, { cause: error })
  }
}

/** Whole numbers below `bound`, the same in every run. */
function seeded(seed: number): (bound: number) => number {
  let state = seed
  return bound => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state % bound
  }
}

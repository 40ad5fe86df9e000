import { describe, expect, test } from 'bun:test'
import { type SeededRandom, seededRandom } from '@test/queue/seeded-random'
import { expectLedgerInOrder } from '@test/support/test-hub'
import { AppError } from '@/base/errors'
import { write } from '@/db/write'
import { charge, expireDue } from '@/domain/ledger'
import { entitlementFor, setDefaultPlan } from '@/domain/plans'
import { type Order, Person, PLANS } from './model'
import { ACTOR, type PlanRig, planRig } from './rig'

const SEEDS = 20
const STEPS = 250
const USERS = ['ann', 'ben', 'cleo']
const DAY = 86_400_000
/** Each seed takes a second by itself, and more beside others. */
const SLOW_MACHINE_MS = 60_000

const seen = new Map<string, number>()
const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1)

describe(`${STEPS} steps of orders, ends, jobs and time`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    test(
      `seed ${seed}: every answer and every balance is what the model says`,
      async () => {
        const random = seededRandom(seed)
        const on = await planRig(random.pick(['2027-12-31T23:30:00Z', '2026-01-30T00:00:00Z']))
        for (const [name, { tokens, unit, stays }] of Object.entries(PLANS)) {
          const changes = { tokensPerPeriod: tokens, period: unit, isRollover: stays }
          await on.make('basic', { name, ...changes })
        }
        const book = { defaultPlan: null as string | null }
        const people = new Map(USERS.map(user => [user, new Person(book)]))
        for (const user of USERS) await on.id(user)
        for (let step = 0; step < STEPS; step++) {
          const user = random.pick(USERS)
          const at = `seed ${seed}, step ${step}`
          const [what, found, expected] = await draw(on, random, book, people, user)
          count(what)
          expect([at, what, found]).toEqual([at, what, expected])
          if (what !== 'time') await compare(on, people, at)
        }
        await on.renew()
        await compare(on, people, 'the end')
        for (const [user, { grants }] of people) {
          const made = on.entries(user).filter(({ type }) => type === 'GRANT')
          expect([user, made.length]).toEqual([user, grants])
        }
        await on.close()
      },
      SLOW_MACHINE_MS,
    )
  }

  test('and everything was among them, often', () => {
    for (const what of 'time,order,refused,cancel,resume,end,entitle,spend,default'.split(',')) {
      expect({ what, isOften: (seen.get(what) ?? 0) > 100 }).toEqual({ what, isOften: true })
    }
  })
})

type Drawn = [what: string, found: unknown, expected: unknown]

async function draw(
  on: PlanRig,
  random: SeededRandom,
  book: { defaultPlan: string | null },
  people: Map<string, Person>,
  user: string,
): Promise<Drawn> {
  const person = people.get(user) as Person
  const now = on.clock.now()
  const dice = random.next()
  if (dice < 0.3) {
    pass(on, random, person)
    // Now and then a sweep comes by at once, and now and then a job is first.
    if (random.next() < 0.5) await on.renew()
    return ['time', null, null]
  }
  if (dice < 0.55) {
    const order = drawOrder(random)
    const found = await done(on.set(user, order.plan, order))
    const expected = person.order(now, order)
    return [expected ? 'order' : 'refused', found, expected]
  }
  if (dice < 0.62) return ['cancel', await done(on.cancel(user)), person.mark(now, true)]
  if (dice < 0.67) return ['resume', await done(on.resume(user)), person.mark(now, false)]
  if (dice < 0.71) return ['end', await done(on.end(user)), person.end(now)]
  if (dice < 0.8) {
    return ['entitle', (await on.entitle(user))?.planName ?? null, person.entitle(now)]
  }
  if (dice < 0.83) {
    const name = random.pick([null, null, 'free', 'basic', 'weekly'])
    // Before it holds, what is due is renewed by the old one, as a sweep each minute does.
    await on.renew()
    for (const one of people.values()) one.passTo(now)
    await setDefaultPlan(on.deps, ACTOR, on.realm, name)
    book.defaultPlan = name
    return ['default', null, null]
  }
  const amount = 1 + random.below(400)
  return ['spend', await spend(on, user, amount), person.spend(now, amount)]
}

/** Anything from a second to five months; often exactly to the end of a period, or just before it. */
function pass(on: PlanRig, random: SeededRandom, person: Person): void {
  const now = on.clock.now()
  const end = person.running?.end ?? now
  const dice = random.next()
  const some = random.pick([1_000, DAY / 3, 3 * DAY, 9 * DAY, 40 * DAY, 150 * DAY])
  if (dice < 0.25 && end > now) on.clock.advance(end - now)
  else if (dice < 0.35 && end > now + 1) on.clock.advance(end - now - 1)
  else on.clock.advance(some + random.below(1_000))
}

function drawOrder(random: SeededRandom): Order {
  return {
    plan: random.pick(Object.keys(PLANS)),
    when: random.pick([null, null, null, 'now', 'period_end'] as const),
    proration: random.pick([null, null, null, 'tokens', 'none', 'restart'] as const),
  }
}

async function done(act: Promise<unknown>): Promise<boolean> {
  const error = await act.then(
    () => null,
    (error: unknown) => error,
  )
  if (error === null) return true
  if (error instanceof AppError && ['invalid_input', 'not_found'].includes(error.code)) return false
  throw error
}

/** As a job does it: the plan first, and then the tokens. */
async function spend(on: PlanRig, user: string, amount: number): Promise<boolean> {
  const userId = await on.id(user)
  await on.entitle(user)
  const error = await write(on.deps.db, tx => {
    entitlementFor(tx, on.deps, on.realm, userId)
    charge(tx, { realmId: on.realm.id, userId, amount, description: 'a feature' })
  }).catch((error: unknown) => error)
  if (error === undefined) return true
  if (error instanceof AppError && error.code === 'insufficient_tokens') return false
  throw error
}

async function compare(on: PlanRig, people: Map<string, Person>, at: string): Promise<void> {
  const now = on.clock.now()
  for (const [user, person] of people) {
    person.passTo(now)
    // Whoever only looks sees what the model says before anything was renewed.
    const { running } = person
    const look = on.look(user)
    expect([
      at,
      user,
      look && [
        look.planName,
        look.nextPlanName,
        look.periodNumber,
        look.periodStart,
        look.periodEnd,
      ],
    ]).toEqual([
      at,
      user,
      running && [running.plan, running.next, running.number, running.start, running.end],
    ])
  }
  await on.renew()
  for (const [user, person] of people) {
    const id = await on.id(user)
    await write(on.deps.db, tx => expireDue(tx, id))
    expect([at, user, on.balance(user)]).toEqual([at, user, person.balance()])
  }
  if (Math.abs(now) % 7 === 0) expectLedgerInOrder(on.deps)
}

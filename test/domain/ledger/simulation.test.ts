import { describe, expect, test } from 'bun:test'
import { type SeededRandom, seededRandom } from '@test/queue/seeded-random'
import { expectLedgerInOrder } from '@test/support/test-hub'
import { AppError, Superseded } from '@/base/errors'
import type { JobId, RealmId, UserId } from '@/base/ids'
import { InvariantError } from '@/base/invariant'
import { type Tx, write } from '@/db/write'
import { balanceOf, hold, settle, voidHold } from '@/domain/ledger'
import { aJob, aUser, endJob, give, ledgerRig } from './rig'

const SEEDS = 20
const STEPS = 2_000
/** So many are on their way at once, as in a busy turn of the loop: they share commits. */
const AT_ONCE = 50
const USERS = 4
const PURPOSE = 'generate'

/** What a step is told: the number it answers, or the kind of its refusal. */
type Told = number | 'insufficient' | 'superseded' | 'invariant' | 'thrown'
type Account = { balance: number; reserved: number; entries: number }
type Held = { user: number; amount: number; isOpen: boolean }
type Step = { expected: Told; run: (tx: Tx) => number }

/** The books as a child would keep them. Plans a step and says what must come of it. */
class Model {
  readonly accounts: Account[] = Array.from({ length: USERS }, () => ({
    balance: 0,
    reserved: 0,
    entries: 0,
  }))
  readonly holds = new Map<JobId, Held>()
  private nextJob = 1

  constructor(
    private readonly random: SeededRandom,
    private readonly realmId: RealmId,
    private readonly users: UserId[],
  ) {}

  plan(): Step {
    if (this.random.next() >= 0.12) return this.draw()
    const before = structuredClone({ accounts: this.accounts, holds: this.holds })
    const step = this.draw()
    if (typeof step.expected !== 'number') return step
    // Everything was done, and then the write fails: nothing may be left of it.
    this.accounts.splice(0, USERS, ...before.accounts)
    this.holds.clear()
    for (const [id, held] of before.holds) this.holds.set(id, held)
    return {
      expected: 'thrown',
      run(tx) {
        step.run(tx)
        throw new Error('sabotage')
      },
    }
  }

  private draw(): Step {
    const dice = this.random.next()
    if (dice < 0.15) return this.grant()
    if (dice < 0.55 || this.holds.size === 0) return this.hold()
    return this.resolve(dice < 0.8 ? 'settle' : 'void')
  }

  private grant(): Step {
    const user = this.random.below(USERS)
    const amount = 1 + this.random.below(60)
    const account = this.account(user)
    account.balance += amount
    account.entries++
    const expected = account.balance
    return {
      expected,
      run: tx => {
        give(tx, this.realmId, this.user(user), amount)
        return balanceOf(tx, this.realmId, this.user(user)).available
      },
    }
  }

  private hold(): Step {
    const user = this.random.below(USERS)
    const amount = this.random.below(12)
    const jobId = this.nextJob++ as JobId
    const account = this.account(user)
    const isCovered = account.balance >= amount
    if (isCovered) {
      account.balance -= amount
      account.reserved += amount
      if (amount > 0) account.entries++
      this.holds.set(jobId, { user, amount, isOpen: true })
    }
    return {
      expected: isCovered ? account.balance : 'insufficient',
      run: tx => {
        const userId = this.user(user)
        aJob(tx, this.realmId, userId, amount, jobId)
        return hold(tx, {
          realmId: this.realmId,
          userId,
          jobId,
          purpose: PURPOSE,
          amount,
          description: 'a-model',
        })
      },
    }
  }

  /** Any job that ever held, ended or not: whoever comes second must be told so. */
  private resolve(verb: 'settle' | 'void'): Step {
    const [jobId, held] = this.random.pick([...this.holds])
    // Now and then for more than was held.
    const kept = verb === 'void' ? 0 : this.random.below(held.amount + 2)
    return {
      expected: this.expectResolved(held, kept),
      run: tx => {
        const refund =
          verb === 'settle' ? settle(tx, jobId, PURPOSE, kept) : voidHold(tx, jobId, PURPOSE)
        endJob(tx, jobId, refund)
        return refund
      },
    }
  }

  private expectResolved(held: Held, kept: number): Told {
    // What costs nothing never held anything, so there is nothing to come second to.
    if (held.amount === 0) return 0
    if (!held.isOpen) return 'superseded'
    if (kept > held.amount) return 'invariant'
    const account = this.account(held.user)
    const refund = held.amount - kept
    held.isOpen = false
    account.reserved -= held.amount
    account.balance += refund
    if (refund > 0) account.entries++
    return refund
  }

  private account(user: number): Account {
    const account = this.accounts[user]
    if (!account) throw new Error('no such account')
    return account
  }

  private user(user: number): UserId {
    const id = this.users[user]
    if (id === undefined) throw new Error('no such user')
    return id
  }
}

function toldBy(answer: PromiseSettledResult<number>): Told {
  if (answer.status === 'fulfilled') return answer.value
  const error: unknown = answer.reason
  if (error instanceof AppError && error.code === 'insufficient_tokens') return 'insufficient'
  if (error instanceof Superseded) return 'superseded'
  if (error instanceof InvariantError) return 'invariant'
  if (error instanceof Error && error.message === 'sabotage') return 'thrown'
  throw error
}

describe(`${STEPS} steps of holds, ends and grants, some of which fail half way`, () => {
  const seen = new Map<string, number>()
  for (let seed = 1; seed <= SEEDS; seed++) {
    test(`seed ${seed}: every answer and every balance is what the model says`, async () => {
      using rig = await ledgerRig()
      const users = await write(rig.db, tx =>
        Array.from({ length: USERS }, () => aUser(tx, rig.realmId)),
      )
      const model = new Model(seededRandom(seed), rig.realmId, users)
      for (let done = 0; done < STEPS; done += AT_ONCE) {
        const steps = Array.from({ length: AT_ONCE }, () => model.plan())
        const answers = await Promise.allSettled(steps.map(step => write(rig.db, step.run)))
        const told = answers.map(toldBy)
        expect(told).toEqual(steps.map(step => step.expected))
        for (const one of told) {
          const name = typeof one === 'number' ? 'done' : one
          seen.set(name, (seen.get(name) ?? 0) + 1)
        }
      }
      const found = users.map(userId => {
        const { available, reserved } = balanceOf(rig.db, rig.realmId, userId)
        const { n } = rig.db.sqlite
          .query('SELECT count(*) AS n FROM token_entries WHERE user_id = ?')
          .get(userId) as { n: number }
        return { balance: available, reserved, entries: n }
      })
      expect(found).toEqual(model.accounts)
      expectLedgerInOrder(rig)
    })
  }

  test('and every kind of answer was among them, often', () => {
    for (const name of ['done', 'insufficient', 'superseded', 'invariant', 'thrown']) {
      expect({ name, isOften: (seen.get(name) ?? 0) > 200 }).toEqual({ name, isOften: true })
    }
  })
})

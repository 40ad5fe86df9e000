import { type SeededRandom, seededRandom } from '@test/queue/seeded-random'
import { fakeClock } from '@test/support/fake-clock'
import { DAY, HOUR, MINUTE, SECOND } from '@/base/clock'
import { AppError, Superseded } from '@/base/errors'
import type { UserId } from '@/base/ids'
import { InvariantError } from '@/base/invariant'
import type { Db } from '@/db/open'
import { write } from '@/db/write'
import * as ledger from '@/domain/ledger'
import { Crash, crashSwitch } from './crash'
import { Model, open, type Person, type Told } from './model'
import { aUser, type LedgerRig, ledgerRig } from './rig'
import { type Step, Steps, SWEEP } from './simulation-steps'

/**
 * Some people, years of their lives, and every verb of the ledger in every order, with deaths in the middle:
 * the real verbs on a real database beside the model, compared after every step. A step is drawn without a
 * look at what the ledger says, so a difference cannot hide itself.
 */
export type SimulationReport = { steps: number; told: Map<string, number>; crashes: number }
export type SimulationOptions = {
  seed: number
  steps: number
  /** Spoils the database before anything happens: the simulator must then throw. */
  plant?: (db: Db) => void
}

const USERS = 4
/** Everything is re-added, and every expiry compared, after so many steps. */
const FULL_CHECK_EACH = 100
const JUMPS_MS = [1, SECOND, MINUTE, HOUR, DAY, 3 * DAY, 30 * DAY, 100 * DAY]
/** Shares of the steps, in hundredths; what is left over moves time. */
const SHARES: [string, number][] = [
  ['grant', 17],
  ['hold', 24],
  ['settle', 13],
  ['void', 9],
  ['charge', 7],
  ['reverseCharge', 4],
  ['reverseGrant', 5],
  ['adjust', 5],
  ['sweep', 4],
  ['sameSource', 2],
  ['grace', 1],
  ['end', 2],
]

const WHEEL = SHARES.flatMap(([name, share]) => Array<string>(share).fill(name))

export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  using rig = await ledgerRig({ clock: fakeClock() })
  // A death is played by a statement that throws; no power is cut.
  rig.db.sqlite.run('PRAGMA synchronous = OFF')
  options.plant?.(rig.db)
  const life = new Life(rig, seededRandom(options.seed))
  await life.begin()
  for (let step = 1; step <= options.steps; step++) {
    const name = await life.step().catch(error => {
      throw new Error(`seed ${options.seed}, step ${step}`, { cause: error })
    })
    if (step % FULL_CHECK_EACH === 0 || step === options.steps) {
      await life.checkAll().catch(error => {
        throw new Error(`seed ${options.seed}, full check after step ${step} (${name})`, {
          cause: error,
        })
      })
    }
  }
  return { steps: options.steps, told: life.told, crashes: life.crashes }
}

class Life {
  readonly told = new Map<string, number>()
  crashes = 0
  private readonly model: Model
  private readonly clock: ReturnType<typeof fakeClock>
  private readonly users = new Map<Person, UserId>()
  private readonly seenEntry = new Map<Person, number>()
  private readonly crash: ReturnType<typeof crashSwitch>
  private readonly steps: Steps
  private seenExpiry = 0
  private comparedExpiries = 0

  constructor(
    private readonly rig: LedgerRig,
    private readonly random: SeededRandom,
  ) {
    this.clock = rig.db.clock as ReturnType<typeof fakeClock>
    this.model = new Model(
      Array.from({ length: USERS }, () => Model.person()),
      this.clock.now(),
    )
    this.crash = crashSwitch(rig.db)
    this.steps = new Steps(rig, random, this.model, person => this.userOf(person))
  }

  async begin(): Promise<void> {
    for (const person of this.model.people) {
      const id = await write(this.rig.db, tx => aUser(tx, this.rig.realmId))
      this.users.set(person, id)
      this.seenEntry.set(person, 0)
    }
  }

  async step(): Promise<string> {
    const name = WHEEL[this.random.below(100)] ?? 'time'
    if (name === 'time') {
      this.clock.advance(1 + this.random.below(2 * this.random.pick(JUMPS_MS)))
      this.model.moveTo(this.clock.now())
      for (const person of this.model.people) this.check(person)
      return name
    }
    const step = this.steps.draw(name)
    if (!step) return name
    // Mostly none; sometimes somewhere; now and then at each statement in turn, until all of it is done.
    const deaths = this.random.below(100)
    if (deaths < 3) for (let at = 1; await this.diesAt(name, step, at); at++);
    else if (deaths < 12) await this.diesAt(name, step, 1 + this.random.below(14))
    else this.compare(name, step, await this.done(step))
    return name
  }

  /** True when it died, and left nothing behind. False: it had fewer statements, and is done. */
  private async diesAt(name: string, step: Step, at: number): Promise<boolean> {
    const told = await this.done(step, at)
    if (told !== 'crash') {
      this.compare(name, step, told)
      return false
    }
    this.crashes++
    if (step.person) this.check(step.person)
    return true
  }

  private compare(name: string, step: Step, told: Told): void {
    const expected = step.apply()
    if (told !== expected) throw new Error(`${name} told ${told} and should have told ${expected}`)
    const kind = typeof told === 'number' ? 'done' : told.replace(/\d+/g, 'n')
    this.told.set(kind, (this.told.get(kind) ?? 0) + 1)
    if (step.person) this.check(step.person)
  }

  private async done(step: Step, crashAt: number | null = null): Promise<Told> {
    try {
      return await write(this.rig.db, tx => {
        this.crash.arm(crashAt)
        try {
          return step.run(tx)
        } finally {
          this.crash.arm(null)
        }
      })
    } catch (error) {
      return toldBy(error)
    }
  }

  /** What a person can see, each open bucket, and each entry since the last look. */
  private check(person: Person): void {
    const userId = this.userOf(person)
    const { db, realmId } = this.rig
    same('the balance', ledger.balanceOf(db, realmId, userId), this.expectedBalance(person))
    const heaps = db.sqlite
      .query(
        `SELECT origin, remaining, expires_at AS expiresAt FROM token_buckets
         WHERE user_id = ? AND remaining > 0 AND expires_at > ? ORDER BY expires_at, id`,
      )
      .all(userId, this.model.now)
    same(
      'the buckets',
      heaps,
      open(person).map(({ origin, remaining, expiresAt }) => ({ origin, remaining, expiresAt })),
    )
    const entries = db.sqlite
      .query(
        `SELECT id, type, amount FROM token_entries
         WHERE user_id = ? AND id > ? AND type <> 'EXPIRY' ORDER BY id`,
      )
      .all(userId, this.seenEntry.get(person) ?? 0) as {
      id: number
      type: string
      amount: number
    }[]
    same(
      'the entries',
      entries.map(({ type, amount }) => [type, amount]),
      person.entries,
    )
    const last = entries.at(-1)
    if (last) this.seenEntry.set(person, last.id)
    person.entries.length = 0
  }

  private expectedBalance(person: Person): ledger.Balance {
    const sumOf = (isOne: (origin: string) => boolean) =>
      person.heaps.reduce((sum, heap) => sum + (isOne(heap.origin) ? heap.remaining : 0), 0)
    const available = this.model.balance(person)
    const mortal = open(person).filter(heap => heap.expiresAt < 8_640_000_000_000_000)
    const at = mortal[0]?.expiresAt
    const first = mortal.filter(heap => heap.expiresAt === at)
    return {
      available,
      purchased: person.plain,
      subscription: sumOf(origin => origin === 'subscription'),
      bonus: sumOf(origin => origin !== 'subscription'),
      reserved: person.reserved,
      totalAllocated: available + person.reserved,
      owed: person.owed,
      nextExpiry:
        at === undefined
          ? null
          : { at, amount: first.reduce((sum, heap) => sum + heap.remaining, 0) },
    }
  }

  /** All is swept up, so that each expiry must be there, once; and everything is re-added. */
  async checkAll(): Promise<void> {
    const { db } = this.rig
    while ((await write(db, tx => ledger.expireBatch(tx, SWEEP))) === SWEEP);
    for (const person of this.model.people) this.check(person)
    const found = db.sqlite
      .query(
        `SELECT id, user_id AS userId, -amount AS amount, source_id AS sourceId FROM token_entries
         WHERE type = 'EXPIRY' AND id > ? ORDER BY id`,
      )
      .all(this.seenExpiry) as { id: number; userId: number; amount: number; sourceId: string }[]
    const written = found.map(row => `${row.userId} ${row.sourceId.split(':')[1]} ${row.amount}`)
    const due = this.model.expiries
      .slice(this.comparedExpiries)
      .map(({ person, at, amount }) => `${this.userOf(person)} ${at} ${amount}`)
    same('the expiries', written.toSorted(), due.toSorted())
    this.seenExpiry = Math.max(this.seenExpiry, ...found.map(row => row.id))
    this.comparedExpiries = this.model.expiries.length
    same('the whole ledger', ledger.verify(db), [])
  }

  private userOf(person: Person): UserId {
    const id = this.users.get(person)
    if (id === undefined) throw new Error('no such user')
    return id
  }
}

function toldBy(error: unknown): Told {
  if (error instanceof Crash) return 'crash'
  if (error instanceof AppError) return error.code
  if (error instanceof Superseded) return 'superseded'
  if (error instanceof InvariantError) return 'invariant'
  if (error instanceof Error && /UNIQUE/.test(error.message)) return 'unique'
  throw error
}

function same(what: string, found: unknown, expected: unknown): void {
  if (Bun.deepEquals(found, expected)) return
  throw new Error(
    `${what}: found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`.slice(0, 2_000),
  )
}

import type { SeededRandom } from '@test/queue/seeded-random'
import { DAY, HOUR, MINUTE, SECOND } from '@/base/clock'
import type { EntryId, JobId, UserId } from '@/base/ids'
import type { Tx } from '@/db/write'
import * as ledger from '@/domain/ledger'
import { saveSetting } from '@/domain/settings'
import type { Given, Held, Model, Person, Told } from './model'
import { aJob, endJob, type LedgerRig } from './rig'

/** One thing to do: on the database, and then in the model, which says what the first must have told. */
export type Step = { person: Person | null; run(tx: Tx): Told; apply(): Told }

/** The most that one call of a sweep expires. */
export const SWEEP = 7
const PURPOSE = 'generate'
const ORIGINS = ['purchase', 'subscription', 'bonus', 'welcome', 'admin'] as const
const EXPIRIES_MS = [1, SECOND, MINUTE, HOUR, DAY, 7 * DAY, 31 * DAY, 200 * DAY]

/** Draws what happens next, without a look at what the ledger says. */
export class Steps {
  private readonly held: { jobId: JobId; entryId: EntryId | null; held: Held }[] = []
  private readonly given: { entryId: EntryId; given: Given }[] = []
  private readonly sources: string[] = []
  private nextJob = 1

  constructor(
    private readonly rig: LedgerRig,
    private readonly random: SeededRandom,
    private readonly model: Model,
    private readonly userOf: (person: Person) => UserId,
  ) {}

  draw(name: string): Step | null {
    const person = this.random.pick(this.model.people)
    const userId = this.userOf(person)
    const owner = { realmId: this.rig.realmId, userId }
    const { random, model } = this
    switch (name) {
      case 'grant':
        return this.grant(person)
      case 'sameSource':
        return this.sameSource(person)
      case 'hold': {
        const amount = random.below(40)
        const jobId = this.nextJob++ as JobId
        return {
          person,
          run: tx => {
            aJob(tx, owner.realmId, userId, amount, jobId)
            const what = { jobId, purpose: PURPOSE, amount, description: 'a-model' }
            return ledger.hold(tx, { ...owner, ...what })
          },
          apply: () => {
            const held = model.take(person, 'job', 'GENERATION_DEBIT', amount)
            if (!held) return 'insufficient_tokens'
            this.held.push({ jobId, entryId: null, held })
            return model.balance(person)
          },
        }
      }
      case 'settle':
      case 'void':
        return this.resolve(name)
      case 'charge': {
        const amount = 1 + random.below(30)
        let entryId: EntryId | null = null
        return {
          person,
          run: tx => {
            const made = ledger.charge(tx, { ...owner, amount, description: 'a feature' })
            entryId = made.entryId
            return made.newBalance
          },
          apply: () => {
            const held = model.take(person, 'charge', 'FEATURE_DEBIT', amount)
            if (!held) return 'insufficient_tokens'
            this.held.push({ jobId: 0 as JobId, entryId, held })
            return model.balance(person)
          },
        }
      }
      case 'reverseCharge':
        return this.reverseCharge()
      case 'reverseGrant':
        return this.reverseGrant()
      case 'adjust':
        return this.adjust(person)
      case 'sweep':
        return {
          person: null,
          run: tx => {
            ledger.expireBatch(tx, SWEEP)
            return 'swept'
          },
          apply: () => 'swept',
        }
      case 'end':
        return {
          person,
          run: tx => ledger.expireEarly(tx, { ...owner, origin: 'subscription' }),
          apply: () => {
            const held = this.held.map(one => one.held)
            return model.end(person, 'subscription', held)
          },
        }
      default: {
        const days = random.pick([0, 1, 7, 30])
        return {
          person: null,
          run: tx => {
            saveSetting(tx, ledger.REFUND_GRACE_DAYS, days)
            return days
          },
          apply: () => {
            model.graceDays = days
            return days
          },
        }
      }
    }
  }

  private grant(person: Person): Step {
    const { random, model } = this
    const origin = random.pick(ORIGINS)
    const amount = 1 + random.below(60)
    const isOver = random.below(30) === 0
    const in_ = 1 + random.below(2 * random.pick(EXPIRIES_MS))
    const hasEnd = origin !== 'purchase' && random.below(4) > 0
    const expiresAt = hasEnd ? this.model.now + (isOver ? 1 - in_ : in_) : null
    const type = origin === 'bonus' ? 'BONUS' : 'GRANT'
    let entryId = 0 as EntryId
    return {
      person,
      run: tx => {
        const made = ledger.grant(tx, {
          realmId: this.rig.realmId,
          userId: this.userOf(person),
          type,
          origin,
          amount,
          expiresAt,
          description: 'given',
          ...(isOver ? { mayBeOver: true } : {}),
        })
        entryId = made.entryId
        return made.debtPaid
      },
      apply: () => {
        const paid = Math.min(person.owed, amount)
        const given = model.grant(person, type, origin, amount, expiresAt)
        this.given.push({ entryId, given })
        return paid
      },
    }
  }

  /** What a store or a subscription sends twice: it comes once, and the second time changes nothing. */
  private sameSource(person: Person): Step {
    const isNew = this.sources.length === 0 || this.random.below(2) === 0
    const id = isNew ? `receipt ${this.sources.length}` : this.random.pick(this.sources)
    return {
      person,
      run: tx =>
        ledger.grant(tx, {
          realmId: this.rig.realmId,
          userId: this.userOf(person),
          type: 'GRANT',
          amount: 11,
          description: 'bought',
          source: { name: 'store', id },
        }).debtPaid,
      apply: () => {
        if (!isNew) return 'unique'
        this.sources.push(id)
        const paid = Math.min(person.owed, 11)
        this.model.grant(person, 'GRANT', 'purchase', 11, null)
        return paid
      },
    }
  }

  /** Any job that ever held, ended or not: whoever comes second must be told so. */
  private resolve(verb: 'settle' | 'void'): Step | null {
    const jobs = this.held.filter(({ held }) => held.kind === 'job')
    if (jobs.length === 0) return null
    // Mostly those of late: the old ones have ended long ago.
    const { jobId, held } =
      this.random.below(4) > 0 ? this.random.pick(jobs.slice(-12)) : this.random.pick(jobs)
    // Now and then for more than was held.
    const kept = verb === 'void' ? 0 : this.random.below(held.amount + 2)
    return {
      person: held.person,
      run: tx => {
        const refund =
          verb === 'settle'
            ? ledger.settle(tx, jobId, PURPOSE, kept)
            : ledger.voidHold(tx, jobId, PURPOSE)
        endJob(tx, jobId, refund)
        return refund
      },
      apply: () => this.model.resolve(held, kept),
    }
  }

  private reverseCharge(): Step | null {
    const charges = this.held.filter(({ held }) => held.kind === 'charge')
    if (charges.length === 0) return null
    const { entryId, held } = this.random.pick(charges.slice(-10))
    return {
      person: held.person,
      run: tx =>
        ledger.reverseCharge(tx, {
          realmId: this.rig.realmId,
          userId: this.userOf(held.person),
          entryId: entryId ?? (0 as EntryId),
          description: 'did not work',
        }).refunded,
      apply: () => this.model.reverseCharge(held),
    }
  }

  private reverseGrant(): Step | null {
    if (this.given.length === 0) return null
    const { entryId, given } = this.random.pick(this.given.slice(-15))
    return {
      person: given.person,
      run: tx => {
        const { taken, owed } = ledger.reverseGrant(tx, {
          realmId: this.rig.realmId,
          userId: this.userOf(given.person),
          entryId,
          description: 'refunded',
        })
        return `${taken} taken, ${owed} owed`
      },
      apply: () => this.model.reverseGrant(given),
    }
  }

  private adjust(person: Person): Step {
    const amount = (1 + this.random.below(40)) * (this.random.below(3) === 0 ? 1 : -1)
    let entryId = 0 as EntryId
    return {
      person,
      run: tx => {
        const owner = { realmId: this.rig.realmId, userId: this.userOf(person) }
        const made = ledger.adjust(tx, { ...owner, amount, description: 'a correction' })
        entryId = made.entryId
        return made.newBalance
      },
      apply: () => {
        const { model } = this
        if (amount > 0) {
          const given = model.grant(person, 'ADMIN_ADJUSTMENT', 'admin', amount, null)
          this.given.push({ entryId, given })
        } else if (!model.take(person, 'charge', 'ADMIN_ADJUSTMENT', -amount)) {
          return 'insufficient_tokens'
        }
        return model.balance(person)
      },
    }
  }
}

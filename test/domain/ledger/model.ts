import { DAY } from '@/base/clock'
import { NEVER } from '@/db/schema'
import type { Origin } from '@/domain/ledger'

/**
 * The books as a child would keep them: every bucket a heap of counters, and what is over is thrown away the
 * moment its time has come. Written apart from the product, with loops where the product has statements.
 */
export type Heap = {
  index: number
  origin: Origin
  remaining: number
  expiresAt: number
  /** All that was ever thrown away of it. */
  expired: number
}
export type Held = {
  kind: 'job' | 'charge'
  person: Person
  amount: number
  plain: number
  parts: { heap: Heap; amount: number }[]
  isOpen: boolean
  isReversed: boolean
}
export type Given = { person: Person; amount: number; heap: Heap | null; isReversed: boolean }
export type Person = {
  plain: number
  reserved: number
  owed: number
  heaps: Heap[]
  /** Type and amount of each entry that must be in the ledger, but for expiries. */
  entries: [type: string, amount: number][]
}
/** What was thrown away: whose, when its time came, and how much. */
export type Expiry = { person: Person; at: number; amount: number }

export type Told = number | string

export class Model {
  graceDays = 7
  readonly expiries: Expiry[] = []
  private heaps = 0

  constructor(
    readonly people: Person[],
    public now: number,
  ) {}

  static person(): Person {
    return { plain: 0, reserved: 0, owed: 0, heaps: [], entries: [] }
  }

  moveTo(now: number): void {
    this.now = now
    for (const person of this.people) this.throwAway(person)
  }

  grant(
    person: Person,
    type: string,
    origin: Origin,
    amount: number,
    expiresAt: number | null,
  ): Given {
    person.entries.push([type, amount])
    let heap: Heap | null = null
    if (origin === 'purchase') person.plain += amount
    else {
      heap = {
        index: this.heaps++,
        origin,
        remaining: amount,
        expiresAt: expiresAt ?? NEVER,
        expired: 0,
      }
      person.heaps.push(heap)
    }
    const paid = Math.min(person.owed, amount)
    if (paid > 0) {
      person.owed -= paid
      if (heap) heap.remaining -= paid
      else person.plain -= paid
      person.entries.push(['DEBT_PAYMENT', -paid])
    }
    // It may have come too late for its own time.
    this.throwAway(person)
    return { person, amount, heap, isReversed: false }
  }

  /** Null: there is too little. */
  take(person: Person, kind: Held['kind'], type: string, amount: number): Held | null {
    if (this.balance(person) < amount) return null
    let left = amount
    const parts: Held['parts'] = []
    for (const heap of open(person)) {
      const taken = Math.min(left, heap.remaining)
      if (taken === 0) break
      heap.remaining -= taken
      left -= taken
      parts.push({ heap, amount: taken })
    }
    person.plain -= left
    if (kind === 'job') person.reserved += amount
    if (amount > 0) person.entries.push([type, -amount])
    return {
      kind,
      person,
      amount,
      plain: left,
      parts,
      isOpen: kind === 'job',
      isReversed: false,
    }
  }

  resolve(held: Held, kept: number): Told {
    // What costs nothing never held anything.
    if (held.amount === 0) return 0
    if (!held.isOpen) return 'superseded'
    if (kept > held.amount) return 'invariant'
    held.isOpen = false
    held.person.reserved -= held.amount
    return this.giveBack(held, held.amount - kept, 'GENERATION_REFUND')
  }

  reverseCharge(held: Held): Told {
    if (held.isReversed) return 'conflict'
    held.isReversed = true
    return this.giveBack(held, held.amount, 'FEATURE_REFUND')
  }

  reverseGrant(given: Given): Told {
    const { person, heap } = given
    if (given.isReversed) return 'conflict'
    const asked = given.amount - (heap?.expired ?? 0)
    if (asked === 0) return '0 taken, 0 owed'
    given.isReversed = true
    const fromHeap = Math.min(heap?.remaining ?? 0, asked)
    const fromPlain = Math.min(person.plain, asked - fromHeap)
    const owed = asked - fromHeap - fromPlain
    if (heap) heap.remaining -= fromHeap
    person.plain -= fromPlain
    person.owed += owed
    if (owed > 0) person.entries.push(['DEBT', owed])
    person.entries.push(['CLAWBACK', -asked])
    return `${fromHeap + fromPlain} taken, ${owed} owed`
  }

  /** All of one origin is over now, also what is held of it: that comes back for the grace time only. */
  end(person: Person, origin: Origin, held: Held[]): number {
    const before = this.balance(person)
    const ofOpen = held.filter(one => one.person === person && one.isOpen)
    const heaps = ofOpen.flatMap(one => one.parts.map(part => part.heap))
    for (const heap of [...open(person), ...heaps]) {
      if (heap.origin === origin && heap.expiresAt > this.now) heap.expiresAt = this.now
    }
    this.throwAway(person)
    return before - this.balance(person)
  }

  balance(person: Person): number {
    return person.plain + person.heaps.reduce((sum, heap) => sum + heap.remaining, 0)
  }

  /** Newest burnt first: plain tokens, and then what expires last. */
  private giveBack(held: Held, refund: number, type: string): number {
    const { person } = held
    const toPlain = Math.min(refund, held.plain)
    person.plain += toPlain
    let left = refund - toPlain
    const lastFirst = held.parts.toSorted(
      (a, b) => b.heap.expiresAt - a.heap.expiresAt || b.heap.index - a.heap.index,
    )
    for (const { heap, amount } of lastFirst) {
      const returned = Math.min(left, amount)
      if (returned === 0) break
      heap.remaining += returned
      if (heap.expiresAt <= this.now) heap.expiresAt = this.now + Math.max(1, this.graceDays * DAY)
      left -= returned
    }
    if (refund > 0) person.entries.push([type, refund])
    return refund
  }

  private throwAway(person: Person): void {
    for (const heap of person.heaps) {
      if (heap.remaining === 0 || heap.expiresAt > this.now) continue
      this.expiries.push({ person, at: heap.expiresAt, amount: heap.remaining })
      heap.expired += heap.remaining
      heap.remaining = 0
    }
  }
}

/** Heaps with something in them, in the order in which they burn. */
export function open(person: Person): Heap[] {
  return person.heaps
    .filter(heap => heap.remaining > 0)
    .sort((a, b) => a.expiresAt - b.expiresAt || a.index - b.index)
}

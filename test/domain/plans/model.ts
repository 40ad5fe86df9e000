/**
 * Subscriptions as a child would keep them, one person each: what runs, and heaps of tokens with their ends.
 * Shares no code with the hub; its calendar walks from month to month.
 */
type Unit = 'day' | 'week' | 'month'
export type ModelPlan = { tokens: number; unit: Unit; stays: boolean }
export const PLANS: Record<string, ModelPlan> = {
  free: { tokens: 0, unit: 'month', stays: false },
  basic: { tokens: 500, unit: 'month', stays: false },
  pro: { tokens: 2_000, unit: 'month', stays: false },
  saver: { tokens: 300, unit: 'month', stays: true },
  weekly: { tokens: 40, unit: 'week', stays: false },
  daily: { tokens: 7, unit: 'day', stays: false },
}
export type Order = {
  plan: string
  when: 'now' | 'period_end' | null
  proration: 'tokens' | 'none' | 'restart' | null
}
type Running = {
  plan: string
  next: string | null
  isOwn: boolean
  isCancelled: boolean
  anchor: number
  number: number
  start: number
  end: number
  top: number
}

const DAY = 86_400_000
const SHORT = [3, 5, 8, 10]

export function calendar(anchor: number, unit: Unit, number: number): number {
  if (unit !== 'month') return anchor + number * DAY * (unit === 'day' ? 1 : 7)
  let [year = 0, month = 0] = new Date(anchor).toISOString().slice(0, 7).split('-').map(Number)
  const [day = 0, rest = ''] = [
    Number(new Date(anchor).toISOString().slice(8, 10)),
    new Date(anchor).toISOString().slice(10),
  ]
  for (let i = 0; i < number; i++) {
    month++
    if (month > 12) [year, month] = [year + 1, 1]
  }
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const length = month === 2 ? (isLeap ? 29 : 28) : SHORT.includes(month - 1) ? 30 : 31
  const two = (value: number) => String(value).padStart(2, '0')
  return Date.parse(`${year}-${two(month)}-${two(Math.min(day, length))}${rest}`)
}

export class Person {
  running: Running | null = null
  byDefault: Running | null = null
  heaps: { left: number; until: number }[] = []
  grants = 0

  constructor(private readonly book: { defaultPlan: string | null }) {}

  balance(): number {
    return this.heaps.reduce((sum, heap) => sum + heap.left, 0)
  }

  /** Everything that time alone does, in its order. */
  passTo(now: number): void {
    while (this.running && this.running.end <= now) this.turn(this.running)
    this.rot(now)
  }

  private rot(now: number): void {
    this.heaps = this.heaps.filter(heap => heap.until > now && heap.left > 0)
  }

  private turn(old: Running): void {
    this.rot(old.end)
    const heir = old.isCancelled ? null : old.isOwn ? (old.next ?? old.plan) : this.book.defaultPlan
    if (heir === null) {
      this.stop()
      return
    }
    const plan = PLANS[heir] as ModelPlan
    if (plan.unit !== PLANS[old.plan]?.unit) {
      this.stop()
      this.begin(heir, old.end, old.isOwn)
      return
    }
    const number = old.number + 1
    const end = calendar(old.anchor, plan.unit, number + 1)
    Object.assign(old, { plan: heir, next: null, number, start: old.end, end, top: plan.tokens })
    this.give(plan.tokens, plan, end)
  }

  private stop(): void {
    if (this.running && !this.running.isOwn) this.byDefault = this.running
    this.running = null
  }

  private begin(name: string, anchor: number, isOwn: boolean): void {
    const plan = PLANS[name] as ModelPlan
    const end = calendar(anchor, plan.unit, 1)
    this.running = {
      plan: name,
      next: null,
      isOwn,
      isCancelled: false,
      anchor,
      number: 0,
      start: anchor,
      end,
      top: plan.tokens,
    }
    this.give(plan.tokens, plan, end)
  }

  private give(amount: number, plan: ModelPlan, end: number): void {
    if (amount <= 0) return
    this.grants++
    this.heaps.push({ left: amount, until: plan.stays ? Number.POSITIVE_INFINITY : end })
  }

  entitle(now: number): string | null {
    this.passTo(now)
    if (!this.running && this.book.defaultPlan) this.goOn(this.book.defaultPlan, now)
    return this.running?.plan ?? null
  }

  private goOn(name: string, now: number): void {
    const plan = PLANS[name] as ModelPlan
    const old = this.byDefault
    if (!old || PLANS[old.plan]?.unit !== plan.unit) {
      this.begin(name, now, false)
      return
    }
    let number = 0
    while (calendar(old.anchor, plan.unit, number + 1) <= now) number++
    const isNew = number > old.number
    const start = calendar(old.anchor, plan.unit, number)
    const end = calendar(old.anchor, plan.unit, number + 1)
    this.running = { ...old, plan: name, next: null, isCancelled: false, number, start, end }
    if (isNew) this.give(plan.tokens, plan, end)
  }

  /** False: it is refused. */
  order(now: number, { plan: name, when, proration }: Order): boolean {
    this.passTo(now)
    const old = this.running
    if (!old?.isOwn) {
      this.stop()
      this.begin(name, now, true)
      return true
    }
    const [plan, own] = [PLANS[name] as ModelPlan, PLANS[old.plan] as ModelPlan]
    if (name === old.plan) {
      Object.assign(old, { next: null, isCancelled: false })
      return true
    }
    if (when === 'period_end' && proration === 'restart') return false
    const rate = ({ tokens, unit }: ModelPlan) => tokens * { day: 210, week: 30, month: 7 }[unit]
    const isLater = when ? when === 'period_end' : proration !== 'restart' && rate(plan) < rate(own)
    if (isLater) {
      Object.assign(old, { next: name, isCancelled: false })
      return true
    }
    const isOther = plan.unit !== own.unit
    if (proration === 'restart' || (proration === null && isOther)) {
      this.begin(name, now, true)
      return true
    }
    if (isOther) return false
    if (proration !== 'none') {
      const product = Math.max(0, plan.tokens - old.top) * (old.end - now)
      const length = old.end - old.start
      const rest = product % length
      this.give((product - rest) / length + (rest > 0 ? 1 : 0), plan, old.end)
    }
    const top = Math.max(old.top, plan.tokens)
    Object.assign(old, { plan: name, next: null, isCancelled: false, top })
    return true
  }

  mark(now: number, isCancelled: boolean): boolean {
    this.passTo(now)
    if (this.running) this.running.isCancelled = isCancelled
    return this.running !== null
  }

  end(now: number): boolean {
    this.passTo(now)
    if (!this.running) return false
    this.stop()
    this.heaps = []
    return true
  }

  /** What ends first goes first. */
  spend(now: number, amount: number): boolean {
    this.entitle(now)
    if (this.balance() < amount) return false
    let left = amount
    for (const heap of this.heaps.toSorted((a, b) => a.until - b.until)) {
      const taken = Math.min(heap.left, left)
      heap.left -= taken
      left -= taken
    }
    return true
  }
}

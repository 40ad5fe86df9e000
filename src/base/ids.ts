import { AppError } from './errors'

/**
 * Ids are one 53-bit integer inside: 41 bits of milliseconds since 2025 and a 12-bit counter. Rows stay in
 * time order at the right edge of the B-tree and need no second index. Outside they are a prefix and
 * 11 characters of base 32 that sort the same way. Guessing one gains nothing: every read is scoped.
 */
declare const idBrand: unique symbol
export type Id<Kind extends string> = number & { readonly [idBrand]: Kind }

export type AppId = Id<'app'>
export type RealmId = Id<'realm'>
export type KeyId = Id<'key'>
export type UserId = Id<'user'>
export type JobId = Id<'job'>
export type AttemptId = Id<'attempt'>
export type HoldId = Id<'hold'>
export type EntryId = Id<'entry'>
export type FileId = Id<'file'>
export type EventId = Id<'event'>
export type DeliveryId = Id<'delivery'>
export type EndpointId = Id<'endpoint'>
export type ModelId = Id<'model'>
export type ProviderId = Id<'provider'>
export type RouteId = Id<'route'>
export type TaskId = Id<'task'>
export type BucketId = Id<'bucket'>
export type PlanId = Id<'plan'>
export type SubscriptionId = Id<'subscription'>

/** Public prefixes, CONTRACT section 1. `att_` names an attempt in callback addresses. */
export const PREFIX = {
  app: 'app',
  key: 'key',
  user: 'usr',
  job: 'job',
  entry: 'txn',
  file: 'fil',
  event: 'evt',
  delivery: 'whd',
  model: 'mdl',
  provider: 'prv',
  attempt: 'att',
  plan: 'pln',
  subscription: 'sub',
} as const
export type PublicKind = keyof typeof PREFIX

const EPOCH_MS = Date.UTC(2025, 0, 1)
const COUNTERS_PER_MS = 4096
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const LENGTH = 11
const VALUE_OF = new Map([...ALPHABET].map((character, value) => [character, value]))

export type IdSource = {
  /** The next id at `nowMs`; always greater than every earlier one and than the floor. */
  next(nowMs: number): number
  /** Another process, or an earlier life of this one, has given out ids up to `id`. */
  notBefore(id: number): void
  last(): number
}

export function createIdSource(): IdSource {
  let last = 0
  return {
    next(nowMs) {
      last = Math.max(last + 1, firstIdAt(nowMs))
      return last
    },
    notBefore(id) {
      last = Math.max(last, id)
    },
    last: () => last,
  }
}

export function firstIdAt(ms: number): number {
  return (ms - EPOCH_MS) * COUNTERS_PER_MS
}

export function timeOfId(id: number): number {
  return Math.floor(id / COUNTERS_PER_MS) + EPOCH_MS
}

export function formatId(kind: PublicKind, id: number): string {
  let text = ''
  for (let rest = id, i = 0; i < LENGTH; i++) {
    text = ALPHABET.charAt(rest % 32) + text
    rest = Math.floor(rest / 32)
  }
  return `${PREFIX[kind]}_${text}`
}

/** Null for anything that is not an id of this kind, so that a foreign id is simply not found. */
export function parseId<Kind extends PublicKind>(kind: Kind, text: string): Id<Kind> | null {
  const prefix = `${PREFIX[kind]}_`
  if (text.length !== prefix.length + LENGTH || !text.startsWith(prefix)) return null
  let id = 0
  for (const character of text.slice(prefix.length)) {
    const value = VALUE_OF.get(character)
    if (value === undefined) return null
    id = id * 32 + value
  }
  return Number.isSafeInteger(id) ? (id as Id<Kind>) : null
}

export function requireId<Kind extends PublicKind>(kind: Kind, text: string): Id<Kind> {
  const id = parseId(kind, text)
  if (id === null) throw new AppError('not_found')
  return id
}

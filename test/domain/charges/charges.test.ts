import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { type FakeClock, fakeClock } from '@test/support/fake-clock'
import {
  expectLedgerInOrder,
  type TestApp,
  type TestHub,
  testApp,
  testHub,
} from '@test/support/test-hub'
import { DAY } from '@/base/clock'
import { AppError } from '@/base/errors'
import type { EntryId, UserId } from '@/base/ids'
import { write } from '@/db/write'
import * as charges from '@/domain/charges'
import { forgetOld } from '@/domain/idempotency'
import { balanceOf, type Origin } from '@/domain/ledger'
import { createPlan, subscribe } from '@/domain/plans'
import { removeRule, setRule } from '@/domain/pricing'
import { erase, findByExternalId, grantTokens, update } from '@/domain/users'

const ACTOR = { kind: 'key', id: 'key_test' } as const

let hub: TestHub
let clock: FakeClock
let app: TestApp
let people = 0
let name: string

beforeAll(async () => {
  clock = fakeClock()
  hub = await testHub({ isRunning: false, clock })
  app = await testApp(hub.deps)
})
afterAll(() => hub.close())
beforeEach(() => {
  name = `person-${++people}`
})

const live = () => app.realms.live

async function give(amount: number, origin: Origin = 'purchase', days: number | null = null) {
  await grantTokens(hub.deps, ACTOR, live(), {
    externalId: name,
    amount,
    reason: 'to begin with',
    type: 'GRANT',
    origin,
    expiresAt: days === null ? null : clock.now() + days * DAY,
    idempotency: null,
  })
}

type Call = Parameters<typeof charges.chargeUser>[3]
const charge = (what: charges.WhatFor, more: Partial<Call> = {}) =>
  charges.chargeUser(hub.deps, ACTOR, live(), {
    externalId: name,
    what,
    reason: 'a poster',
    idempotency: null,
    ...more,
  })
const reverse = (entryId: EntryId | null, key: { key: string; hash: string } | null = null) =>
  charges.reverseCharge(hub.deps, ACTOR, live(), {
    externalId: name,
    entryId: entryId ?? (0 as EntryId),
    reason: 'the poster never came',
    idempotency: key,
  })

async function refusal(answer: Promise<unknown>): Promise<AppError> {
  const error: unknown = await answer.catch(thrown => thrown)
  expect(error).toBeInstanceOf(AppError)
  return error as AppError
}

const idOf = (who = name) => findByExternalId(hub.deps.db, live().id, who)?.id as UserId
const balance = () => balanceOf(hub.deps.db, live().id, idOf())
const rows = (sql: string, ...params: (string | number)[]) =>
  hub.deps.db.sqlite.query(sql).all(...params) as Record<string, unknown>[]
const entries = () =>
  rows('SELECT type, amount, description FROM token_entries WHERE user_id = ? ORDER BY id', idOf())
const buckets = () =>
  rows('SELECT id, origin, remaining FROM token_buckets WHERE user_id = ? ORDER BY id', idOf())

/** Everything that a refused call must leave as it was. */
function all(): string {
  const tables = ['users', 'holds', 'hold_parts', 'token_buckets', 'token_entries', 'audit_log']
  return JSON.stringify(
    [...tables, 'idempotency_keys'].map(table => rows(`SELECT * FROM ${table}`)),
  )
}

async function expectRefused(act: () => Promise<unknown>, code: AppError['code']) {
  const before = all()
  const error = await refusal(act())
  expect(error.code).toBe(code)
  expect(all()).toBe(before)
  return error
}

describe('a charge', () => {
  test('by amount takes it at once and says what is left', async () => {
    await give(50)
    const answer = await charge({ amount: 12 })
    expect(answer).toMatchObject({
      amount: 12,
      balance: 38,
      feature: null,
      steps: null,
      isReplay: false,
    })
    expect(entries().at(-1)).toEqual({
      type: 'FEATURE_DEBIT',
      amount: -12,
      description: 'a poster',
    })
    expect(balance()).toMatchObject({ available: 38, reserved: 0 })
    expectLedgerInOrder(hub.deps)
  })

  test('burns what expires first, and goes back to the very buckets', async () => {
    await give(10, 'bonus', 30)
    await give(10, 'subscription', 3)
    await give(100)
    const before = buckets()
    const first = await charge({ amount: 14 })
    expect(buckets().map(bucket => bucket.remaining)).toEqual([6, 0])
    const second = await charge({ amount: 10 })
    expect(balance()).toMatchObject({ purchased: 96, bonus: 0, subscription: 0 })
    expect((await reverse(first.entryId)).balance).toBe(110)
    expect(buckets().map(bucket => bucket.remaining)).toEqual([4, 10])
    await reverse(second.entryId)
    expect(buckets()).toEqual(before)
    expect(balance()).toMatchObject({ purchased: 100, bonus: 10, subscription: 10 })
    expectLedgerInOrder(hub.deps)
  })

  test('of a user who has too little is a 402 with both numbers, and takes nothing', async () => {
    await give(5)
    const error = await expectRefused(() => charge({ amount: 6 }), 'insufficient_tokens')
    expect(error.detail).toEqual({ balance: 5, required: 6 })
    expect((await charge({ amount: 5 })).balance).toBe(0)
  })

  test('creates nobody, and takes nothing of who was erased or is deactivated', async () => {
    await expectRefused(() => charge({ amount: 1 }), 'not_found')
    await give(10)
    const made = await charge({ amount: 4 })
    await update(hub.deps, ACTOR, live(), name, { isActive: false })
    await expectRefused(() => charge({ amount: 1 }), 'user_deactivated')
    // What was taken may still go back.
    expect(await reverse(made.entryId)).toMatchObject({ amount: 4, balance: 10 })
    await erase(hub.deps, ACTOR, live(), name)
    await expectRefused(() => charge({ amount: 1 }), 'not_found')
    await expectRefused(() => reverse(made.entryId), 'not_found')
  })

  test('finds the tokens of a period that has begun, though nothing renewed it yet', async () => {
    await createPlan(hub.deps, ACTOR, live(), { template: 'basic', name: 'monthly' })
    const order = { plan: 'monthly', periodStart: null, source: 'api' }
    await subscribe(hub.deps, ACTOR, live(), name, { ...order, proration: null, when: null })
    const { available } = balance()
    expect(available).toBeGreaterThan(0)
    await charge({ amount: available })
    clock.advance(40 * DAY)
    expect(await charge({ amount: available })).toMatchObject({ balance: 0 })
    expectLedgerInOrder(hub.deps)
  })

  test('fifty at once of a balance for twenty are twenty', async () => {
    await give(7, 'bonus', 5)
    await give(53)
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => charge({ amount: 3 }).catch(error => error)),
    )
    const taken = answers.filter(answer => !(answer instanceof AppError))
    expect(taken).toHaveLength(20)
    expect(new Set(taken.map(answer => answer.balance)).size).toBe(20)
    const refused = answers.filter(answer => answer instanceof AppError)
    expect(refused.map(error => [error.code, error.detail])).toEqual(
      Array(30).fill(['insufficient_tokens', { balance: 0, required: 3 }]),
    )
    expect(balance()).toMatchObject({ available: 0, reserved: 0 })
    expectLedgerInOrder(hub.deps)
  })

  test('is in the audit log by its number, with nothing that says who or why', async () => {
    await give(5)
    const { entryId } = await charge({ amount: 2 })
    await reverse(entryId)
    const lines = rows(`SELECT action, details FROM audit_log ORDER BY id DESC LIMIT 2`)
    expect(lines).toEqual([
      { action: 'tokens.reverse_charge', details: '{"amount":2}' },
      { action: 'tokens.charge', details: '{"amount":2}' },
    ])
  })
})

describe('a feature', () => {
  const PRICED = 'feature:upscale'
  const RULE = {
    base: 5,
    units: [{ of: 'pages', price: '1.5', free: 2, absent: 1, max: 500 }],
    factors: [{ of: 'quality', table: { low: 1, high: 2 }, absent: 1 }],
  }
  const set = (subject: string, rule: unknown) =>
    setRule(hub.deps, ACTOR, { realm: live(), subject, rule })

  test('costs what its rule says of the input, with the steps', async () => {
    await set(PRICED, RULE)
    await give(100)
    expect(await charge({ feature: 'upscale' })).toMatchObject({ amount: 5, balance: 95 })
    const input = { pages: 5, quality: 'high' }
    const answer = await charge({ feature: 'upscale', input })
    // (5 + 3 x 1.5) x 2
    expect(answer).toMatchObject({ amount: 19, balance: 76, feature: 'upscale' })
    expect(answer.steps?.at(-1)?.tokens).toBe(19)
    const odd = await charge({ feature: 'upscale', input: { pages: 3 } })
    expect(odd).toMatchObject({ amount: 7, balance: 69 })
    expectLedgerInOrder(hub.deps)
  })
  test('without a price is a 400 that names it, and one of another mode has none here', async () => {
    await set(PRICED, RULE)
    await give(100)
    for (const feature of ['nothing', 'Upscale', 'model:sdxl', '']) {
      const error = await expectRefused(() => charge({ feature }), 'invalid_input')
      expect(error.detail).toMatchObject({ details: [{ path: 'feature' }] })
    }
    const test = app.realms.test
    await grantTokens(hub.deps, ACTOR, test, {
      externalId: name,
      amount: 100,
      reason: 'r',
      type: 'GRANT',
      idempotency: null,
    })
    const there = charges.chargeUser(hub.deps, ACTOR, test, {
      externalId: name,
      what: { feature: 'upscale' },
      reason: 'r',
      idempotency: null,
    })
    expect((await refusal(there)).code).toBe('invalid_input')
  })
  test('says which field of its input is wrong', async () => {
    await set(PRICED, RULE)
    await give(100)
    for (const [input, path] of [
      [{ quality: 'best' }, 'input.quality'],
      [{ colour: 'red' }, 'input.colour'],
      [{ pages: { many: 1 } }, 'input.pages'],
      [{ pages: -1 }, 'input.pages'],
    ] as const) {
      const error = await expectRefused(
        () => charge({ feature: 'upscale', input }),
        'invalid_input',
      )
      expect(error.detail).toMatchObject({ details: [{ path }] })
    }
  })
  test('that is free takes nothing and says so, even of who has nothing', async () => {
    await set('feature:gift', {
      base: 0,
      units: [{ of: 'pages', price: 1, free: 3, absent: 0, max: 9 }],
    })
    await give(1)
    await charge({ amount: 1 })
    const before = entries()
    const key = { key: 'free', hash: 'h' }
    const answer = await charge({ feature: 'gift', input: { pages: 3 } }, { idempotency: key })
    expect(answer).toMatchObject({ entryId: null, amount: 0, balance: 0, feature: 'gift' })
    const again = await charge({ feature: 'gift', input: { pages: 3 } }, { idempotency: key })
    expect(again).toEqual({ ...answer, isReplay: true })
    expect(entries()).toEqual(before)
    await expectRefused(
      () => charge({ feature: 'gift', input: { pages: 4 } }),
      'insufficient_tokens',
    )
  })
  test('is charged as it was when the call is repeated, though its price has gone', async () => {
    await set('feature:passing', { base: 9 })
    await give(20)
    const key = { key: 'k', hash: 'h' }
    const first = await charge({ feature: 'passing' }, { idempotency: key })
    await removeRule(hub.deps, ACTOR, { realm: live(), subject: 'feature:passing' })
    const again = await charge({ feature: 'passing' }, { idempotency: key })
    expect(again).toEqual({ ...first, isReplay: true })
    await expectRefused(() => charge({ feature: 'passing' }), 'invalid_input')
  })
})

describe('a repeated key', () => {
  const KEY = { key: 'tap-1', hash: 'one body' }

  test('takes once, however often and however much at once', async () => {
    await give(100)
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => charge({ amount: 30 }, { idempotency: KEY })),
    )
    expect(answers.filter(answer => !answer.isReplay)).toHaveLength(1)
    expect(new Set(answers.map(answer => answer.entryId)).size).toBe(1)
    expect(answers.every(answer => answer.balance === 70 && answer.amount === 30)).toBe(true)
    expect(balance().available).toBe(70)
  })
  test('of another body is a 422, now and when the answer was forgotten', async () => {
    await give(100)
    const first = await charge({ amount: 30 }, { idempotency: KEY })
    const other = { idempotency: { ...KEY, hash: 'another body' } }
    await expectRefused(() => charge({ amount: 31 }, other), 'idempotency_mismatch')
    clock.advance(3 * DAY)
    await write(hub.deps.db, tx => forgetOld(tx, tx.now, 1_000))
    await expectRefused(() => charge({ amount: 31 }, other), 'idempotency_mismatch')
    const again = await charge({ amount: 30 }, { idempotency: KEY })
    expect(again).toEqual({ ...first, isReplay: true })
    expect(balance().available).toBe(70)
  })
  test('remembers a feature for ever, and its steps as long as answers are kept', async () => {
    await setRule(hub.deps, ACTOR, { realm: live(), subject: 'feature:long', rule: { base: 4 } })
    await give(100)
    const first = await charge({ feature: 'long' }, { idempotency: KEY })
    expect(first.steps).not.toBeNull()
    clock.advance(3 * DAY)
    await write(hub.deps.db, tx => forgetOld(tx, tx.now, 1_000))
    const again = await charge({ feature: 'long' }, { idempotency: KEY })
    expect(again).toEqual({ ...first, steps: null, isReplay: true })
    expect(balance().available).toBe(96)
  })
  test('that was refused is free again, and is the user’s own', async () => {
    await give(1)
    await expectRefused(() => charge({ amount: 2 }, { idempotency: KEY }), 'insufficient_tokens')
    await give(1)
    expect((await charge({ amount: 2 }, { idempotency: KEY })).isReplay).toBe(false)
    name = `person-${++people}`
    await give(5)
    expect(await charge({ amount: 5 }, { idempotency: KEY })).toMatchObject({ isReplay: false })
  })
})

describe('a charge is given back', () => {
  test('whole and once: a second time is a conflict, the same key the same answer', async () => {
    await give(40)
    const { entryId } = await charge({ amount: 15 })
    const key = { key: 'back', hash: 'body' }
    const first = await reverse(entryId, key)
    expect(first).toMatchObject({ amount: 15, balance: 40, isReplay: false })
    expect(entries().at(-1)).toEqual({
      type: 'FEATURE_REFUND',
      amount: 15,
      description: 'the poster never came',
    })
    await charge({ amount: 1 })
    expect(await reverse(entryId, key)).toEqual({ ...first, isReplay: true })
    await expectRefused(() => reverse(entryId, { ...key, hash: 'other' }), 'idempotency_mismatch')
    await expectRefused(() => reverse(entryId, { key: 'again', hash: 'body' }), 'conflict')
    await expectRefused(() => reverse(entryId), 'conflict')
    expect(balance().available).toBe(39)
    expectLedgerInOrder(hub.deps)
  })
  test('once, when twenty ask at once', async () => {
    await give(40)
    const { entryId } = await charge({ amount: 15 })
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => reverse(entryId).catch(error => error)),
    )
    const refused = answers.filter(answer => answer instanceof AppError)
    expect(refused.map(error => error.code)).toEqual(Array(19).fill('conflict'))
    expect(balance().available).toBe(40)
    expectLedgerInOrder(hub.deps)
  })
  test('and nothing else is: no grant, no refund, nothing of others', async () => {
    await give(40)
    const mine = await charge({ amount: 15 })
    const back = await reverse(mine.entryId)
    const [grant] = rows(
      `SELECT id FROM token_entries WHERE user_id = ? AND type = 'GRANT'`,
      idOf(),
    )
    const other = await charge({ amount: 1 })
    for (const id of [grant?.id, back.entryId, 12345]) {
      await expectRefused(() => reverse(id as EntryId), 'not_found')
    }
    name = `person-${++people}`
    await give(40)
    await expectRefused(() => reverse(other.entryId), 'not_found')
    const elsewhere = charges.reverseCharge(hub.deps, ACTOR, app.realms.test, {
      externalId: name,
      entryId: other.entryId as EntryId,
      reason: 'r',
      idempotency: null,
    })
    expect((await refusal(elsewhere)).code).toBe('not_found')
  })
})

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { expectLedgerInOrder, type TestHub, testApp, testHub } from '@test/support/test-hub'
import { AppError } from '@/base/errors'
import type { Actor, Deps, Realm } from '@/deps'
import { listEntries } from '@/domain/ledger'
import { MAX_BALANCE } from '@/domain/ledger/grant'
import { findByExternalId, grantBatch, grantTokens, listUsers } from '@/domain/users'

const ACTOR: Actor = { kind: 'shell', id: 'test' }
const ALL = { before: Number.MAX_SAFE_INTEGER, limit: 5_000 }

let hub: TestHub
let deps: Deps

beforeAll(async () => {
  hub = await testHub({ isRunning: false })
  deps = hub.deps
})
afterAll(async () => {
  expectLedgerInOrder(deps)
  await hub.close()
})

async function aRealm(welcomeGrant = 0): Promise<Realm> {
  return (await testApp(deps, { welcomeGrant })).realms.live
}

function give(
  realm: Realm,
  externalId: string,
  amount: number,
  idempotency: { key: string; hash: string } | null = null,
) {
  return grantTokens(deps, ACTOR, realm, {
    externalId,
    amount,
    reason: 'renewal',
    type: 'GRANT',
    idempotency,
  })
}

function batch(
  realm: Realm,
  grants: [string, number][],
  idempotency: { key: string; hash: string } | null = null,
) {
  return grantBatch(
    deps,
    ACTOR,
    realm,
    grants.map(([externalId, amount]) => ({ externalId, amount, reason: 'batch' })),
    idempotency,
  )
}

async function refused(act: Promise<unknown>): Promise<AppError> {
  const error: unknown = await act.catch(thrown => thrown)
  if (error instanceof AppError) return error
  throw new Error('it was not refused', { cause: error })
}

function balance(realm: Realm, externalId: string): number | null {
  return findByExternalId(deps.db, realm.id, externalId)?.balance ?? null
}

const KEY = { key: 'sub_renewal_jan', hash: 'h1' }

describe('a grant of tokens', () => {
  test('to a known user says what there was, what came and what there is', async () => {
    const realm = await aRealm()
    await give(realm, 'ada', 45)
    expect(await give(realm, 'ada', 100)).toMatchObject({
      previousBalance: 45,
      amountAdded: 100,
      newBalance: 145,
      isReplay: false,
    })
  })

  test('to an unknown user makes the user, welcome grant included, in one write', async () => {
    const realm = await aRealm(7)
    expect(await give(realm, 'ada', 10)).toMatchObject({ previousBalance: 7, newBalance: 17 })
  })

  test('that fails makes no user', async () => {
    const realm = await aRealm()
    expect((await refused(give(realm, 'ada', MAX_BALANCE + 1))).code).toBe('invalid_input')
    expect(balance(realm, 'ada')).toBeNull()
  })

  test('repeated with its key gives the first answer word for word, whatever happened since', async () => {
    const realm = await aRealm(7)
    const first = await give(realm, 'ada', 10, KEY)
    await give(realm, 'ada', 1_000)
    expect(await give(realm, 'ada', 10, KEY)).toEqual({ ...first, isReplay: true })
    expect(balance(realm, 'ada')).toBe(1_017)
  })

  test('sent fifty times at once with one key happens once', async () => {
    const realm = await aRealm()
    const answers = await Promise.all(Array.from({ length: 50 }, () => give(realm, 'ada', 10, KEY)))
    expect(answers.filter(answer => !answer.isReplay)).toHaveLength(1)
    expect(new Set(answers.map(answer => answer.entryId)).size).toBe(1)
    expect(balance(realm, 'ada')).toBe(10)
  })

  test('with the key of another body is a 422 and changes nothing', async () => {
    const realm = await aRealm()
    await give(realm, 'ada', 10, KEY)
    const error = await refused(give(realm, 'ada', 11, { ...KEY, hash: 'h2' }))
    expect(error.code).toBe('idempotency_mismatch')
    expect(balance(realm, 'ada')).toBe(10)
  })

  test('whose key failed before is free to use it', async () => {
    const realm = await aRealm()
    await refused(give(realm, 'ada', MAX_BALANCE + 1, KEY))
    expect(await give(realm, 'ada', 5, { ...KEY, hash: 'h2' })).toMatchObject({ newBalance: 5 })
  })

  test('has a key of its own for each user and each realm', async () => {
    const realm = await aRealm()
    const other = await aRealm()
    await give(realm, 'ada', 10, KEY)
    await give(realm, 'bob', 10, KEY)
    await give(other, 'ada', 10, KEY)
    expect([balance(realm, 'ada'), balance(realm, 'bob'), balance(other, 'ada')]).toEqual([
      10, 10, 10,
    ])
  })
})

describe('a batch of grants', () => {
  test('gives to each in order, known or not, and to one twice when named twice', async () => {
    const realm = await aRealm(1)
    await give(realm, 'ada', 9)
    const { entries, isReplay } = await batch(realm, [
      ['ada', 5],
      ['bob', 6],
      ['ada', 7],
    ])
    expect(isReplay).toBe(false)
    expect(entries.map(({ amount, balanceAfter }) => [amount, balanceAfter])).toEqual([
      [5, 15],
      [6, 7],
      [7, 22],
    ])
  })

  test('is all or nothing, and the error names the item', async () => {
    const realm = await aRealm()
    await give(realm, 'rich', MAX_BALANCE)
    const error = await refused(
      batch(
        realm,
        [
          ['new', 5],
          ['rich', 1],
          ['ada', 5],
        ],
        KEY,
      ),
    )
    expect(error.detail).toMatchObject({ details: [{ path: 'grants.1.amount' }] })
    expect(listUsers(deps.db, realm.id, ALL).map(user => user.externalId)).toEqual(['rich'])
    // And its key is free.
    expect((await batch(realm, [['new', 5]], KEY)).isReplay).toBe(false)
  })

  test('of a thousand, repeated with its key, answers the same thousand in the same order', async () => {
    const realm = await aRealm()
    const grants = Array.from({ length: 1_000 }, (_, i): [string, number] => [`u${i % 300}`, i + 1])
    const first = await batch(realm, grants, KEY)
    const again = await batch(realm, grants, KEY)
    expect(first.entries).toHaveLength(1_000)
    expect(again.isReplay).toBe(true)
    const bare = again.entries.map(({ id, amount, balanceAfter, debtPaid }) => ({
      id,
      amount,
      balanceAfter,
      debtPaid,
    }))
    expect(bare).toEqual(first.entries)
    const total = listUsers(deps.db, realm.id, ALL).reduce((sum, user) => sum + user.balance, 0)
    expect(total).toBe((1_000 * 1_001) / 2)
  })

  test('sent twenty times at once with one key happens once', async () => {
    const realm = await aRealm()
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        batch(
          realm,
          [
            ['ada', 5],
            ['bob', 5],
          ],
          KEY,
        ),
      ),
    )
    expect(answers.filter(answer => !answer.isReplay)).toHaveLength(1)
    expect([balance(realm, 'ada'), balance(realm, 'bob')]).toEqual([5, 5])
  })

  test('with the key of another body is a 422 and changes nothing', async () => {
    const realm = await aRealm()
    await batch(realm, [['ada', 5]], KEY)
    const error = await refused(batch(realm, [['ada', 6]], { ...KEY, hash: 'h2' }))
    expect(error.code).toBe('idempotency_mismatch')
    expect(balance(realm, 'ada')).toBe(5)
  })

  test('is never taken for another whose key looks like one of its items', async () => {
    const realm = await aRealm()
    const keys = [
      'a',
      'a#',
      'a#0000',
      'a#0000#0000',
      'a%23',
      'a%230000',
      'ab',
      'A',
      'a:batch:a',
      'a\u{10FFFF}',
      'ä',
      'a\u0308',
      'a b',
      'a+b',
      'a\u0000',
      'a\u0000b',
    ]
    for (const [index, key] of keys.entries()) {
      const given = await batch(
        realm,
        [
          [`u${index}`, 1],
          [`v${index}`, 2],
        ],
        { key, hash: key },
      )
      expect({ key, isReplay: given.isReplay }).toEqual({ key, isReplay: false })
    }
    for (const [index, key] of keys.entries()) {
      const again = await batch(
        realm,
        [
          [`u${index}`, 1],
          [`v${index}`, 2],
        ],
        { key, hash: key },
      )
      expect({ key, isReplay: again.isReplay, entries: again.entries.length }).toEqual({
        key,
        isReplay: true,
        entries: 2,
      })
    }
  })

  test('has a key of its own beside the keys of single grants and of other realms', async () => {
    const realm = await aRealm()
    const other = await aRealm()
    await give(realm, 'ada', 1, KEY)
    expect((await batch(realm, [['ada', 2]], KEY)).isReplay).toBe(false)
    expect((await batch(other, [['ada', 4]], KEY)).isReplay).toBe(false)
    expect([balance(realm, 'ada'), balance(other, 'ada')]).toEqual([3, 4])
  })

  test('takes a key with half a surrogate pair as any other text', async () => {
    const realm = await aRealm()
    const broken = { key: 'cut \ud83d', hash: 'h' }
    expect((await batch(realm, [['ada', 5]], broken)).isReplay).toBe(false)
    expect((await batch(realm, [['ada', 5]], broken)).isReplay).toBe(true)
    expect(balance(realm, 'ada')).toBe(5)
    expect(
      listEntries(
        deps.db,
        realm.id,
        findByExternalId(deps.db, realm.id, 'ada')?.id ?? (0 as never),
        ALL,
      ),
    ).toHaveLength(1)
  })
})

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { randomBytes } from 'node:crypto'
import { expectLedgerInOrder, type TestHub, testApp, testHub } from '@test/support/test-hub'
import { AppError } from '@/base/errors'
import { createSecrets } from '@/base/secrets'
import { write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { listEntries } from '@/domain/ledger'
import {
  create,
  ensure,
  erase,
  findByExternalId,
  findById,
  isExternalId,
  listUsers,
  update,
} from '@/domain/users'

const ACTOR: Actor = { kind: 'shell', id: 'test' }
const WELCOME = 25
const ALL = { before: Number.MAX_SAFE_INTEGER, limit: 1_000 }

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

async function aRealm(welcomeGrant = WELCOME): Promise<Realm> {
  return (await testApp(deps, { welcomeGrant })).realms.live
}

async function ensured(realm: Realm, externalId: string, mayHaveWelcomeGrant = true) {
  return await write(deps.db, tx =>
    ensure(tx, deps.secrets, { realm, externalId, mayHaveWelcomeGrant }),
  )
}

function usersOf(realm: Realm): number {
  return listUsers(deps.db, realm.id, ALL).length
}

describe('a user who is not known', () => {
  test('is made with the welcome grant, and the second time is simply there', async () => {
    const realm = await aRealm()
    const first = await ensured(realm, 'ada')
    expect(first).toMatchObject({ isNew: true, user: { externalId: 'ada', balance: WELCOME } })
    const second = await ensured(realm, 'ada')
    expect(second).toEqual({ isNew: false, user: first.user })
    expect(listEntries(deps.db, realm.id, first.user.id, ALL)).toMatchObject([
      { amount: WELCOME, balanceAfter: WELCOME, type: 'GRANT' },
    ])
  })

  test('exists with the grant or not at all: one transaction', async () => {
    const realm = await aRealm()
    const failing = write(deps.db, tx => {
      ensure(tx, deps.secrets, { realm, externalId: 'half', mayHaveWelcomeGrant: true })
      throw new AppError('model_not_found')
    })
    expect((await failing.catch(error => error)).code).toBe('model_not_found')
    expect(findByExternalId(deps.db, realm.id, 'half')).toBeNull()
    expect(usersOf(realm)).toBe(0)
  })

  test('asked for by a hundred at once is one user with one grant', async () => {
    const realm = await aRealm()
    const answers = await Promise.all(Array.from({ length: 100 }, () => ensured(realm, 'crowd')))
    expect(new Set(answers.map(one => one.user.id)).size).toBe(1)
    expect(answers.filter(one => one.isNew)).toHaveLength(1)
    const [one] = answers
    expect(findById(deps.db, realm.id, one?.user.id ?? (0 as never))?.balance).toBe(WELCOME)
    expect(usersOf(realm)).toBe(1)
  })

  test('gets nothing when nobody vouches for the id, or when the app gives nothing', async () => {
    const realm = await aRealm()
    expect((await ensured(realm, 'made-up', false)).user.balance).toBe(0)
    const stingy = await aRealm(0)
    const { user } = await ensured(stingy, 'ada')
    expect(user.balance).toBe(0)
    expect(listEntries(deps.db, stingy.id, user.id, ALL)).toEqual([])
  })

  test('is somebody else in another app and in the other mode', async () => {
    const one = await testApp(deps, { welcomeGrant: 3 })
    const two = await testApp(deps, { welcomeGrant: 4 })
    const made = [
      await ensured(one.realms.live, 'ada'),
      await ensured(one.realms.test, 'ada'),
      await ensured(two.realms.live, 'ada'),
      await ensured(one.realms.live, 'Ada'),
    ]
    expect(made.map(({ isNew, user }) => [isNew, user.balance])).toEqual([
      [true, 3],
      [true, 3],
      [true, 4],
      [true, 3],
    ])
    expect(new Set(made.map(({ user }) => user.id)).size).toBe(4)
    const [first] = made
    expect(findById(deps.db, two.realms.live.id, first?.user.id ?? (0 as never))).toBeNull()
  })
})

describe('a person who was erased', () => {
  test('is gone by name: not found, not listed, nothing of theirs in the row', async () => {
    const realm = await aRealm()
    const made = await create(
      deps,
      realm,
      { externalId: 'ada', metadata: { email: 'ada@example.com' } },
      null,
    )
    await ensured(realm, 'bob')
    expect(await erase(deps, ACTOR, realm, 'ada')).toBe(made.user.id)
    expect(findByExternalId(deps.db, realm.id, 'ada')).toBeNull()
    expect(listUsers(deps.db, realm.id, ALL).map(user => user.externalId)).toEqual(['bob'])
    expect(findById(deps.db, realm.id, made.user.id)).toMatchObject({
      externalId: null,
      metadata: '{}',
      isActive: 0,
    })
    const again = await erase(deps, ACTOR, realm, 'ada').catch(error => error)
    expect(again.code).toBe('not_found')
  })

  test('leaves the ledger as it was, and an order to erase the rest, in the same write', async () => {
    const realm = await aRealm()
    const { user } = await ensured(realm, 'ada')
    const before = listEntries(deps.db, realm.id, user.id, ALL)
    await erase(deps, ACTOR, realm, 'ada')
    expect(listEntries(deps.db, realm.id, user.id, ALL)).toEqual(before)
    expectLedgerInOrder(deps)
    const orders = deps.db.sqlite
      .query("SELECT payload FROM tasks WHERE kind = 'user.erase'")
      .all() as { payload: string }[]
    expect(orders.map(row => JSON.parse(row.payload))).toContainEqual({
      realm_id: realm.id,
      user_id: user.id,
    })
  })

  test('who comes back is a new user without a second welcome grant, however often', async () => {
    const realm = await aRealm()
    const first = await ensured(realm, 'ada')
    for (let i = 0; i < 3; i++) {
      await erase(deps, ACTOR, realm, 'ada')
      const back = await ensured(realm, 'ada')
      expect(back).toMatchObject({ isNew: true, user: { balance: 0 } })
      expect(back.user.id).not.toBe(first.user.id)
    }
    // Others are not taken for them.
    expect((await ensured(realm, 'ada2')).user.balance).toBe(WELCOME)
    expect((await ensured(await aRealm(), 'ada')).user.balance).toBe(WELCOME)
  })

  test('is remembered when the secret key has changed since', async () => {
    const realm = await aRealm()
    const [old, next] = [randomBytes(32), randomBytes(32)]
    await ensured(realm, 'ada')
    await erase({ ...deps, secrets: createSecrets(old) }, ACTOR, realm, 'ada')
    const back = await write(deps.db, tx =>
      ensure(tx, createSecrets(next, [old]), {
        realm,
        externalId: 'ada',
        mayHaveWelcomeGrant: true,
      }),
    )
    expect(back.user.balance).toBe(0)
  })

  test('is kept as a mark that only the secret key can make again', async () => {
    const realm = await aRealm()
    const name = 'ada-lovelace-1815'
    await ensured(realm, name)
    await erase(deps, ACTOR, realm, name)
    const kept = deps.db.sqlite
      .query('SELECT hex(hash) AS mark FROM erased_users WHERE realm_id = ?')
      .all(realm.id)
    const mark = (secrets: Deps['secrets']) =>
      secrets.hmac('erased-users', `${realm.id}:${name}`).toString('hex').toUpperCase()
    expect(kept).toEqual([{ mark: mark(deps.secrets) }])
    expect(mark(createSecrets(randomBytes(32)))).not.toBe(mark(deps.secrets))
  })
})

describe('create and update', () => {
  test('create makes the user once and then answers it; given metadata replaces what there was', async () => {
    const realm = await aRealm()
    const first = await create(deps, realm, { externalId: 'ada', metadata: { a: '1' } }, null)
    expect(first).toMatchObject({ isNew: true, isReplay: false, user: { metadata: '{"a":"1"}' } })
    const second = await create(deps, realm, { externalId: 'ada' }, null)
    expect(second).toMatchObject({ isNew: false, user: { metadata: '{"a":"1"}' } })
    const third = await create(deps, realm, { externalId: 'ada', metadata: { b: '2' } }, null)
    expect(third).toMatchObject({ isNew: false, user: { metadata: '{"b":"2"}', balance: WELCOME } })
  })

  const scopeOf = (realm: Realm, key: string) => ({
    realmId: realm.id,
    userId: null,
    operation: 'create user',
    key,
    hash: 'h',
  })

  test('create replayed is still 201, and changes nothing', async () => {
    const realm = await aRealm()
    const once = scopeOf(realm, 'k')
    const input = { externalId: 'ada', metadata: { a: '1' } }
    await create(deps, realm, input, once)
    await update(deps, ACTOR, realm, 'ada', { metadata: { a: '2' } })
    expect(await create(deps, realm, input, once)).toMatchObject({
      isNew: true,
      isReplay: true,
      user: { metadata: '{"a":"2"}' },
    })
  })

  test('create replayed after the person was erased answers 404, not an erased row', async () => {
    const realm = await aRealm()
    const once = scopeOf(realm, 'k')
    await create(deps, realm, { externalId: 'ada' }, once)
    await erase(deps, ACTOR, realm, 'ada')
    const replayed = await create(deps, realm, { externalId: 'ada' }, once).catch(error => error)
    expect(replayed.code).toBe('not_found')
  })

  test('update changes what it names and leaves the rest; an unknown user is a 404', async () => {
    const realm = await aRealm()
    await create(deps, realm, { externalId: 'ada', metadata: { a: '1' } }, null)
    expect(await update(deps, ACTOR, realm, 'ada', { isActive: false })).toMatchObject({
      isActive: 0,
      metadata: '{"a":"1"}',
      balance: WELCOME,
    })
    expect(await update(deps, ACTOR, realm, 'ada', { metadata: { b: '2' } })).toMatchObject({
      isActive: 0,
      metadata: '{"b":"2"}',
    })
    expect(await update(deps, ACTOR, realm, 'ada', { isActive: true })).toMatchObject({
      isActive: 1,
    })
    const unknown = await update(deps, ACTOR, realm, 'bob', {}).catch(error => error)
    expect(unknown.code).toBe('not_found')
  })

  test('the list is newest first, pages without gaps or repeats, and holds one realm', async () => {
    const realm = await aRealm()
    await ensured(await aRealm(), 'stranger')
    for (let i = 0; i < 7; i++) await ensured(realm, `u${i}`)
    const names: (string | null)[] = []
    let before = Number.MAX_SAFE_INTEGER
    for (;;) {
      const page = listUsers(deps.db, realm.id, { before, limit: 3 })
      const last = page.at(-1)
      if (!last) break
      names.push(...page.map(user => user.externalId))
      before = last.id
    }
    expect(names).toEqual(['u6', 'u5', 'u4', 'u3', 'u2', 'u1', 'u0'])
  })
})

describe('an external id', () => {
  const good = [
    'a',
    '0',
    'firebase_uid_xyz',
    'a'.repeat(128),
    'user@example.com',
    'auth0|5f7c8ec7',
    'a.b-c_d:e|f+g=h~i@j',
    '...',
    'Me',
    'tokens2',
    'constructor',
    '__proto__',
  ]
  const bad = [
    '',
    'a'.repeat(129),
    ' ',
    'a b',
    'a\n',
    '\na',
    'a/b',
    'a?b',
    'a#b',
    'a%20b',
    'ä',
    '\u{1F600}',
    'a\u0000',
    '.',
    '..',
    'me',
    'tokens',
    'a,b',
    "a'b",
    '<a>',
  ]
  for (const text of good) {
    test(`may be ${JSON.stringify(text.slice(0, 40))}`, () => expect(isExternalId(text)).toBe(true))
  }
  for (const text of bad) {
    test(`may not be ${JSON.stringify(text.slice(0, 40))}`, () =>
      expect(isExternalId(text)).toBe(false))
  }
})

import { describe, expect, test } from 'bun:test'
import { testDb } from '@test/support/test-db'
import { AppError } from '@/base/errors'
import type { RealmId, UserId } from '@/base/ids'
import type { Db } from '@/db/open'
import { write } from '@/db/write'
import { fingerprint, forgetOld, once, type Scope } from '@/domain/idempotency'

const SCOPE: Scope = {
  realmId: 1 as RealmId,
  userId: 2 as UserId,
  operation: 'POST /api/v1/users',
  key: 'key-1',
  hash: fingerprint({ external_id: 'ada' }),
}

/** Something that can be counted: how often it really happened. */
async function happen(db: Db, scope: Scope | null, answer: unknown = 'made') {
  return await write(db, tx =>
    once(tx, scope, () => {
      tx.db.sqlite.run("INSERT INTO settings VALUES (?, '', 0)", [String(tx.id())])
      return { status: 201, answer }
    }),
  )
}

function times(db: Db): number {
  return (db.sqlite.query('SELECT count(*) AS n FROM settings').get() as { n: number }).n
}

describe('once', () => {
  test('the same key and body again: the kept answer, and nothing happens again', async () => {
    using db = closing(testDb())
    const answer = { id: 5, list: [1, null, { deep: 'yes' }], text: 'ä\u{1F600}' }
    expect(await happen(db, SCOPE, answer)).toEqual({ status: 201, answer, isReplay: false })
    // What would be answered now is not asked for.
    expect(await happen(db, SCOPE, 'other')).toEqual({ status: 201, answer, isReplay: true })
    expect(times(db)).toBe(1)
  })

  test('a hundred at once: it happens once, all get the same answer', async () => {
    using db = closing(testDb())
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => happen(db, SCOPE, `answer ${i}`)),
    )
    expect(new Set(answers.map(one => one.answer))).toEqual(new Set(['answer 0']))
    expect(answers.filter(one => !one.isReplay)).toHaveLength(1)
    expect(times(db)).toBe(1)
  })

  test('the same key with another body: 422, and nothing happens', async () => {
    using db = closing(testDb())
    await happen(db, SCOPE)
    const other = happen(db, { ...SCOPE, hash: fingerprint({ external_id: 'bob' }) })
    const error = await other.catch(thrown => thrown)
    expect(error).toBeInstanceOf(AppError)
    expect({ code: error.code, status: error.status }).toEqual({
      code: 'idempotency_mismatch',
      status: 422,
    })
    expect(times(db)).toBe(1)
  })

  test('what throws keeps nothing: the key is free for any body', async () => {
    using db = closing(testDb())
    const failing = write(db, tx =>
      once(tx, SCOPE, () => {
        tx.db.sqlite.run("INSERT INTO settings VALUES ('half', '', 0)")
        throw new AppError('insufficient_tokens')
      }),
    )
    expect((await failing.catch(error => error)).code).toBe('insufficient_tokens')
    expect(times(db)).toBe(0)
    const next = await happen(db, { ...SCOPE, hash: fingerprint('another body') })
    expect(next.isReplay).toBe(false)
    expect(times(db)).toBe(1)
  })

  test('a write that fails after it keeps nothing either', async () => {
    using db = closing(testDb())
    const failing = write(db, tx => {
      once(tx, SCOPE, () => ({ status: 201, answer: 'made' }))
      throw new AppError('conflict')
    })
    expect((await failing.catch(error => error)).code).toBe('conflict')
    expect((await happen(db, SCOPE)).isReplay).toBe(false)
  })

  test('a key means something else to another realm, user or operation', async () => {
    using db = closing(testDb())
    const scopes: Scope[] = [
      SCOPE,
      { ...SCOPE, realmId: 9 as RealmId },
      { ...SCOPE, userId: 9 as UserId },
      { ...SCOPE, userId: null },
      { ...SCOPE, operation: 'POST /api/v1/users/tokens/batch' },
      { ...SCOPE, key: 'key-2' },
      { ...SCOPE, key: 'KEY-1' },
      { ...SCOPE, key: 'key-1 ' },
    ]
    for (const [index, scope] of scopes.entries()) {
      expect(await happen(db, scope, index)).toMatchObject({ isReplay: false, answer: index })
    }
    for (const [index, scope] of scopes.entries()) {
      expect(await happen(db, scope, 'again')).toMatchObject({ isReplay: true, answer: index })
    }
    expect(times(db)).toBe(scopes.length)
  })

  test('without a key everything happens each time', async () => {
    using db = closing(testDb())
    await happen(db, null)
    expect((await happen(db, null)).isReplay).toBe(false)
    expect(times(db)).toBe(2)
  })

  test('old answers are forgotten in bounded pieces, oldest first, and young ones stay', async () => {
    using db = closing(testDb())
    for (let age = 1; age <= 10; age++) {
      await happen(db, { ...SCOPE, key: `key-${age}` })
      db.sqlite.run('UPDATE idempotency_keys SET created_at = ? WHERE key = ?', [age, `key-${age}`])
    }
    expect(await write(db, tx => forgetOld(tx, 8, 5))).toBe(5)
    const left = () =>
      (
        db.sqlite.query('SELECT created_at AS at FROM idempotency_keys ORDER BY 1').all() as {
          at: number
        }[]
      ).map(row => row.at)
    expect(left()).toEqual([6, 7, 8, 9, 10])
    expect(await write(db, tx => forgetOld(tx, 8, 5))).toBe(2)
    expect(left()).toEqual([8, 9, 10])
    expect((await happen(db, { ...SCOPE, key: 'key-3' })).isReplay).toBe(false)
  })
})

function closing(db: Db): Db & Disposable {
  return Object.assign(db, { [Symbol.dispose]: () => db.close() })
}

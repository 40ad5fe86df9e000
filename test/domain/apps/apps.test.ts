import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type FakeClock, fakeClock } from '@test/support/fake-clock'
import { openTestDb } from '@test/support/test-db'
import { type TestHub, testApp, testHub } from '@test/support/test-hub'
import { createCache } from '@/base/cache'
import { AppError } from '@/base/errors'
import { type ForeignCommits, watchForeignCommits } from '@/db/foreign-commits'
import { write } from '@/db/write'
import type { Actor, Deps } from '@/deps'
import {
  createApp,
  createKey,
  DEFAULT_LIMITS,
  findKey,
  flushLastUsed,
  listApps,
  listRealmKeys,
  type NewApp,
  noteUse,
  revokeKey,
  webhookSecretOf,
} from '@/domain/apps'
import { KEY_RANDOM_BYTES, makeKeyText } from '@/domain/apps/key-text'

const ACTOR: Actor = { kind: 'shell', id: 'test' }
const HOUR = 3_600_000

let hub: TestHub
let deps: Deps
let clock: FakeClock
let watched: ForeignCommits

beforeAll(async () => {
  clock = fakeClock()
  hub = await testHub({ isRunning: false, clock })
  deps = hub.deps
  watched = watchForeignCommits(deps.db)
})
afterAll(() => hub.close())

let slugs = 0
function create(input: Partial<NewApp> = {}) {
  const slug = input.slug ?? `shop-${++slugs}`
  return createApp(deps, ACTOR, { name: slug, slug, ...input })
}

async function refused(act: Promise<unknown>): Promise<AppError> {
  const error: unknown = await act.catch(thrown => thrown)
  if (error instanceof AppError) return error
  throw new Error('it was not refused', { cause: error })
}

/** Everything that is on the disk of this hub's database, its log of unmerged pages included. */
function bytesOnDisk(): Buffer {
  const folder = join(deps.db.path, '..')
  const files = readdirSync(folder).filter(name => name.startsWith('hub.db'))
  expect(files).toContain('hub.db')
  return Buffer.concat(files.map(name => readFileSync(join(folder, name))))
}

describe('an app', () => {
  test('is made with a live and a test realm, a key and a webhook secret for each', async () => {
    const made = await create({ name: ' Photo Magic ', welcomeGrant: 25 })
    expect(made.app).toMatchObject({
      name: 'Photo Magic',
      welcomeGrant: 25,
      rateLimitPerUser: DEFAULT_LIMITS.perUser,
      rateLimitPerApp: DEFAULT_LIMITS.perApp,
      isEnabled: 1,
    })
    const live = findKey(deps, made.apiKey)
    const testKey = findKey(deps, made.testApiKey)
    expect(live).toMatchObject({ kind: 'secret', realm: { mode: 'live', appId: made.app.id } })
    expect(testKey).toMatchObject({ kind: 'secret', realm: { mode: 'test', appId: made.app.id } })
    expect(live?.realm.id).not.toBe(testKey?.realm.id)
    for (const secret of [made.webhookSecret, made.testWebhookSecret]) {
      expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
      expect(Buffer.from(secret.slice('whsec_'.length), 'base64')).toHaveLength(32)
    }
    expect(made.webhookSecret).not.toBe(made.testWebhookSecret)
    expect(listApps(deps.db).map(app => app.id)).toContain(made.app.id)
  })

  test('has a prefix of its slug unless it is given one', async () => {
    expect((await create({ slug: 'my-great-photo-app' })).apiKey).toStartWith('mygreatphoto_live_')
    expect((await create({ slug: 'q' })).apiKey).toStartWith('qx_live_')
    expect((await create({ keyPrefix: 'pm2' })).apiKey).toStartWith('pm2_live_')
  })

  test('with a taken slug is a conflict and leaves nothing behind', async () => {
    await create({ slug: 'taken' })
    const count = () => deps.db.sqlite.query('SELECT count(*) AS n FROM realms').get()
    const before = count()
    expect((await refused(create({ slug: 'taken' }))).code).toBe('conflict')
    expect(count()).toEqual(before)
  })

  const wrong: [string, Partial<NewApp>][] = [
    ['name', { name: '  ' }],
    ['name', { name: 'x'.repeat(101) }],
    ['slug', { slug: 'Shop' }],
    ['slug', { slug: '-shop' }],
    ['slug', { slug: 'shop-' }],
    ['slug', { slug: 'shop_1' }],
    ['slug', { slug: 'x'.repeat(41) }],
    ['prefix', { keyPrefix: 'p' }],
    ['prefix', { keyPrefix: 'P1' }],
    ['prefix', { keyPrefix: 'a_b' }],
    ['prefix', { keyPrefix: 'abcdefghijklm' }],
    ['grant', { welcomeGrant: -1 }],
    ['grant', { welcomeGrant: 1.5 }],
    ['grant', { welcomeGrant: 1_000_000_001 }],
    ['rate_per_user', { rateLimitPerUser: 0 }],
    ['rate_per_app', { rateLimitPerApp: Number.NaN }],
    ['webhook_url', { webhookUrl: 'http://127.0.0.1/hook' }],
    ['webhook_url', { webhookUrl: 'file:///etc/passwd' }],
    ['webhook_url', { webhookUrl: 'not an address' }],
  ]
  for (const [path, input] of wrong) {
    test(`with ${JSON.stringify(input).slice(0, 60)} is a 400 that names ${path}`, async () => {
      const error = await refused(create({ name: 'Shop', slug: `wrong-${++slugs}`, ...input }))
      expect(error.code).toBe('invalid_input')
      expect(error.detail).toMatchObject({ details: [{ path }] })
    })
  }
})

describe('a key', () => {
  test('is found by its text only, with what a call needs to know of its app', async () => {
    const made = await create({ welcomeGrant: 9, rateLimitPerUser: 7, rateLimitPerApp: 70 })
    expect(findKey(deps, made.apiKey)).toMatchObject({
      rateLimitPerUser: 7,
      rateLimitPerApp: 70,
      isEnabled: 1,
      expiresAt: null,
      realm: {
        mode: 'live',
        appSlug: made.app.slug,
        welcomeGrant: 9,
        timeZone: 'UTC',
        monthlyBudgetMicroUsd: null,
        budgetAction: 'refuse',
        lowBalanceThreshold: null,
      },
    })
  })

  test('that nobody was given is not found, however well formed', async () => {
    const { text } = makeKeyText('pm', 'live', 'secret', new Uint8Array(KEY_RANDOM_BYTES).fill(7))
    expect(findKey(deps, text)).toBeNull()
    expect(findKey(deps, '')).toBeNull()
    expect(findKey(deps, "' OR 1=1 --")).toBeNull()
  })

  test('works until the millisecond in which it expires', async () => {
    const { apiKey } = await create()
    const expiresAt = clock.now() + HOUR
    const keyId = findKey(deps, apiKey)?.keyId ?? 0
    await write(deps.db, tx => {
      tx.db.sqlite.run('UPDATE api_keys SET expires_at = ? WHERE id = ?', [expiresAt, keyId])
    })
    deps.cache.clear()
    clock.advance(HOUR - 1)
    expect(findKey(deps, apiKey)).not.toBeNull()
    clock.advance(1)
    expect(findKey(deps, apiKey)).toBeNull()
  })

  test('stops at once when revoked, named by itself or by its id, and twice is no error', async () => {
    const { apiKey, testApiKey } = await create()
    const testId = findKey(deps, testApiKey)?.keyId
    expect(findKey(deps, apiKey)).not.toBeNull()
    await revokeKey(deps, ACTOR, { text: apiKey })
    expect(findKey(deps, apiKey)).toBeNull()
    expect(findKey(deps, testApiKey)).not.toBeNull()
    await revokeKey(deps, ACTOR, { id: testId ?? (0 as never) })
    expect(findKey(deps, testApiKey)).toBeNull()
    await revokeKey(deps, ACTOR, { text: apiKey })
    const entries = deps.db.sqlite
      .query("SELECT count(*) AS n FROM audit_log WHERE action = 'key.revoke'")
      .get()
    expect(entries).toEqual({ n: 2 })
  })

  test('revoked by another process stops as soon as its commit is seen', async () => {
    const { apiKey } = await create()
    const key = findKey(deps, apiKey)
    const shell = openTestDb(deps.db.path, { busyTimeoutMs: 5_000, clock })
    await revokeKey({ ...deps, db: shell, cache: createCache() }, ACTOR, {
      id: key?.keyId ?? (0 as never),
    })
    shell.close()
    watched.check()
    expect(findKey(deps, apiKey)).toBeNull()
  })

  test('that is unknown or mistyped cannot be revoked', async () => {
    const { apiKey } = await create()
    for (const key of [{ text: `${apiKey.slice(0, -1)}_` }, { text: 'x' }, { id: 5 as never }]) {
      expect((await refused(revokeKey(deps, ACTOR, key))).code).toBe('not_found')
    }
    expect(findKey(deps, apiKey)).not.toBeNull()
  })

  test('of either kind can be made for either mode of an app that there is', async () => {
    const { app } = await create({ keyPrefix: 'pm' })
    const made = await createKey(deps, ACTOR, { slug: app.slug, mode: 'test', kind: 'publishable' })
    expect(made.text).toStartWith('pm_test_pk_')
    expect(findKey(deps, made.text)).toMatchObject({ kind: 'publishable', realm: { mode: 'test' } })
    const nobody = createKey(deps, ACTOR, { slug: 'nobody', mode: 'live', kind: 'secret' })
    expect((await refused(nobody)).code).toBe('not_found')
  })

  test('is never on the disk: neither whole nor its secret part, nor the webhook secrets', async () => {
    const made = await create()
    const extra = await createKey(deps, ACTOR, {
      slug: made.app.slug,
      mode: 'live',
      kind: 'publishable',
    })
    await revokeKey(deps, ACTOR, { text: extra.text })
    await deps.db.writer.drained()
    const disk = bytesOnDisk()
    // The proof can see: what may be shown is there.
    expect(disk.includes(extra.display)).toBe(true)
    for (const key of [made.apiKey, made.testApiKey, extra.text]) {
      const secret = key.slice(-49)
      expect({ key: disk.includes(key), secret: disk.includes(secret.slice(0, 12)) }).toEqual({
        key: false,
        secret: false,
      })
    }
    for (const secret of [made.webhookSecret, made.testWebhookSecret]) {
      const base64 = secret.slice('whsec_'.length)
      expect(disk.includes(base64.slice(0, 16))).toBe(false)
      expect(disk.includes(Buffer.from(base64, 'base64'))).toBe(false)
    }
  })

  test('is listed without what it opens, and its last use is written once for many calls', async () => {
    const made = await create()
    const key = findKey(deps, made.apiKey)
    if (!key) throw new Error('the key was just made')
    const listed = () => listRealmKeys(deps.db, key.realm.id).find(row => row.id === key.keyId)
    expect(Object.keys(listed() ?? {})).not.toContain('hash')
    expect(listed()?.lastUsedAt).toBeNull()
    noteUse(deps, key.keyId)
    clock.advance(500)
    noteUse(deps, key.keyId)
    expect(listed()?.lastUsedAt).toBeNull()
    const changes = deps.db.writer.stats().changes
    await flushLastUsed(deps)
    expect(listed()?.lastUsedAt).toBe(clock.now())
    await flushLastUsed(deps)
    expect(deps.db.writer.stats().changes).toBe(changes + 1)
  })
})

describe('a webhook secret', () => {
  test('opens for its own realm', async () => {
    const made = await testApp(deps)
    expect(webhookSecretOf(deps, made.realms.live.id)).toBe(made.webhookSecret)
    expect(webhookSecretOf(deps, made.realms.test.id)).toBe(made.testWebhookSecret)
  })

  test('copied into another row does not open there', async () => {
    const [mine, theirs] = [await testApp(deps), await testApp(deps)]
    await write(deps.db, tx => {
      tx.db.sqlite.run(
        `UPDATE realms SET webhook_secret_sealed =
           (SELECT webhook_secret_sealed FROM realms WHERE id = ?) WHERE id = ?`,
        [theirs.realms.live.id, mine.realms.live.id],
      )
    })
    deps.cache.clear()
    expect(() => webhookSecretOf(deps, mine.realms.live.id)).toThrow()
    expect(webhookSecretOf(deps, theirs.realms.live.id)).toBe(theirs.webhookSecret)
  })
})

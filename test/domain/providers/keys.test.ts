import { afterEach, describe, expect, test } from 'bun:test'
import { databaseBytes } from '@test/domain/jobs/stage'
import { temporaryFolder } from '@test/support/test-db'
import { AppError } from '@/base/errors'
import {
  findProvider,
  hasTwoKeys,
  healthOf,
  isUsable,
  keyOf,
  keySourceOf,
  removeKey,
  removeWebhookSecret,
  setEnabled,
  setKey,
  setWebhookSecret,
  webhookSecretOf,
} from '@/domain/providers'
import { closeHubs, healthRow, hubWith, vendorNamed } from './vendors'

afterEach(closeHubs)

const ACTOR = { kind: 'shell' as const, id: 'test' }
/** Of no known shape: what hides it is not its look. */
const STORED = 'stored/words.that+nobody=knows'
const OTHER = 'other/words.that+nobody=knows'
const IN_ENVIRONMENT = 'environment/words.that+nobody=knows'
const WITH_VARIABLE = { config: { providerKeys: { FAL_KEY: IN_ENVIRONMENT } } }

type Hub = Awaited<ReturnType<typeof hubWith>>

const sourceOf = ({ deps }: Hub, name = 'fal') => {
  const row = findProvider(deps, name)
  return row ? keySourceOf(deps, row) : null
}

const audits = ({ deps }: Hub) =>
  deps.db.sqlite.query(`SELECT action, subject, details FROM audit_log ORDER BY id`).all() as {
    action: string
    subject: string
    details: string
  }[]

async function codeOf(act: Promise<unknown>): Promise<string> {
  const error = await act.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (error instanceof AppError) return error.code
  throw new Error(`no AppError: ${error}`)
}

describe('a key', () => {
  test('is the environment’s until one is stored, which wins, and then the environment’s again', async () => {
    const hub = await hubWith([vendorNamed('fal')], WITH_VARIABLE)
    const state = () => [keyOf(hub.deps, 'fal'), sourceOf(hub)]
    expect(state()).toEqual([IN_ENVIRONMENT, 'environment'])
    await setKey(hub.deps, ACTOR, 'fal', STORED)
    expect(state()).toEqual([STORED, 'stored'])
    await setKey(hub.deps, ACTOR, 'fal', OTHER)
    expect(state()).toEqual([OTHER, 'stored'])
    expect(await removeKey(hub.deps, ACTOR, 'fal')).toBe(true)
    expect(state()).toEqual([IN_ENVIRONMENT, 'environment'])
    expect(await removeKey(hub.deps, ACTOR, 'fal')).toBe(false)
  })

  test('is for one vendor only, and makes it usable', async () => {
    const hub = await hubWith([vendorNamed('fal'), vendorNamed('openai')])
    expect([isUsable(hub.deps, 'fal'), isUsable(hub.deps, 'openai')]).toEqual([false, false])
    await setKey(hub.deps, ACTOR, 'fal', STORED)
    expect([isUsable(hub.deps, 'fal'), isUsable(hub.deps, 'openai')]).toEqual([true, false])
    expect([keyOf(hub.deps, 'openai'), sourceOf(hub, 'openai')]).toEqual([null, 'none'])
    await setEnabled(hub.deps, ACTOR, 'fal', false)
    expect(isUsable(hub.deps, 'fal')).toBe(false)
  })

  test('begins as unknown, whatever was known of the one before, and its check is ordered', async () => {
    const hub = await hubWith([vendorNamed('fal')])
    hub.deps.db.sqlite.run(
      `UPDATE providers SET health = 'down', health_message = 'no', checked_at = 5, check_failures = 7`,
    )
    const blank = { health: 'unknown', health_message: null, checked_at: null, check_failures: 0 }
    await setKey(hub.deps, ACTOR, 'fal', STORED)
    expect(healthRow(hub, 'fal')).toEqual(blank as never)
    expect(healthRow(hub, 'openai').health).toBe('down')
    const tasks = hub.deps.db.sqlite.query('SELECT kind, payload FROM tasks').all()
    expect(tasks).toEqual([{ kind: 'providers.check', payload: '{"provider":"fal"}' }])
  })

  test('is refused in a form that no header can carry, and nothing is changed', async () => {
    const hub = await hubWith([vendorNamed('fal')])
    for (const bad of ['', ' ', 'two words', 'a\nb', 'a\r\nX: 1', 'schön', 'x'.repeat(1_001)]) {
      const refusal = setKey(hub.deps, ACTOR, 'fal', bad)
      expect([bad, await codeOf(refusal)]).toEqual([bad, 'invalid_input'])
      expect(await codeOf(setWebhookSecret(hub.deps, ACTOR, 'fal', bad))).toBe('invalid_input')
    }
    expect([sourceOf(hub), audits(hub)]).toEqual(['none', []])
  })

  test('is refused for who is not there and for who needs none', async () => {
    const hub = await hubWith([vendorNamed('fal')])
    const { deps } = hub
    for (const [name, code] of [
      ['nobody', 'not_found'],
      ['sandbox', 'conflict'],
    ] as const) {
      expect(await codeOf(setKey(deps, ACTOR, name, STORED))).toBe(code)
      expect(await codeOf(setWebhookSecret(deps, ACTOR, name, STORED))).toBe(code)
      expect(await codeOf(setEnabled(deps, ACTOR, name, false))).toBe(code)
    }
    expect(await codeOf(removeKey(deps, ACTOR, 'nobody'))).toBe('not_found')
    expect(audits(hub)).toEqual([])
  })
})

describe('a webhook secret', () => {
  test('is stored and taken away apart from the key', async () => {
    const { deps } = await hubWith([vendorNamed('fal')])
    expect(webhookSecretOf(deps, 'fal')).toBeNull()
    await setWebhookSecret(deps, ACTOR, 'fal', STORED)
    expect([webhookSecretOf(deps, 'fal'), keyOf(deps, 'fal')]).toEqual([STORED, null])
    await setWebhookSecret(deps, ACTOR, 'fal', OTHER)
    expect(webhookSecretOf(deps, 'fal')).toBe(OTHER)
    expect(await removeWebhookSecret(deps, ACTOR, 'fal')).toBe(true)
    expect(await removeWebhookSecret(deps, ACTOR, 'fal')).toBe(false)
    expect(webhookSecretOf(deps, 'fal')).toBeNull()
  })
})

describe('what is stored', () => {
  test('is in no byte of the database, no audit row and no line of the log', async () => {
    const hub = await hubWith([vendorNamed('fal')], WITH_VARIABLE)
    await setKey(hub.deps, ACTOR, 'fal', STORED)
    await setKey(hub.deps, ACTOR, 'fal', OTHER)
    await setWebhookSecret(hub.deps, ACTOR, 'fal', STORED)
    await setEnabled(hub.deps, ACTOR, 'fal', false)
    await setEnabled(hub.deps, ACTOR, 'fal', false)
    await setEnabled(hub.deps, ACTOR, 'fal', true)
    await removeWebhookSecret(hub.deps, ACTOR, 'fal')
    await removeKey(hub.deps, ACTOR, 'fal')
    expect(audits(hub).map(({ action }) => action)).toEqual([
      'provider.set_key',
      'provider.set_key',
      'provider.set_webhook_secret',
      'provider.pause',
      'provider.resume',
      'provider.remove_webhook_secret',
      'provider.remove_key',
    ])
    for (const { subject, details } of audits(hub)) {
      expect([subject, details]).toEqual([expect.stringMatching(/^prv_/), '{"name":"fal"}'])
    }
    hub.deps.log.info('everything', {
      config: hub.deps.config,
      rows: findProvider(hub.deps, 'fal'),
    })
    const database = databaseBytes(hub)
    // What is there is found, so that what is not found is not there.
    expect(database.includes('provider.set_webhook_secret')).toBe(true)
    for (const secret of [STORED, OTHER, IN_ENVIRONMENT]) {
      for (const encoding of ['utf8', 'base64', 'base64url', 'hex'] as const) {
        const form = Buffer.from(secret).toString(encoding)
        expect([form, database.includes(form)]).toEqual([form, false])
        expect(hub.log.text()).not.toContain(form)
      }
    }
  })

  test('opens at its own row and column only', async () => {
    const { deps } = await hubWith([vendorNamed('fal'), vendorNamed('openai')])
    await setKey(deps, ACTOR, 'fal', STORED)
    deps.db.sqlite.run(
      `UPDATE providers SET api_key_sealed = (SELECT api_key_sealed FROM providers WHERE name = 'fal')
       WHERE name = 'openai'`,
    )
    deps.db.sqlite.run(`UPDATE providers SET webhook_secret_sealed = api_key_sealed`)
    deps.cache.clear()
    expect([keyOf(deps, 'fal'), keyOf(deps, 'openai')]).toEqual([STORED, null])
    expect([webhookSecretOf(deps, 'fal'), webhookSecretOf(deps, 'openai')]).toEqual([null, null])
  })
})

describe('when the SECRET_KEY changes', () => {
  const [first, second] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]

  test('stored keys open by the previous one, are told apart without it, and new ones need it no more', async () => {
    const folder = temporaryFolder()
    const vendors = () => [vendorNamed('fal'), vendorNamed('openai')]
    const openWith = (secretKey: Uint8Array, previousSecretKeys: Uint8Array[] = []) =>
      hubWith(vendors(), {
        folder,
        config: {
          secretKey,
          previousSecretKeys,
          providerKeys: { OPENAI_API_KEY: IN_ENVIRONMENT },
        },
      })
    const before = await openWith(first)
    for (const name of ['fal', 'openai']) await setKey(before.deps, ACTOR, name, STORED)
    await setWebhookSecret(before.deps, ACTOR, 'fal', STORED)
    await closeHubs()

    const both = await openWith(second, [first])
    expect([keyOf(both.deps, 'fal'), sourceOf(both)]).toEqual([STORED, 'stored'])
    expect(webhookSecretOf(both.deps, 'fal')).toBe(STORED)
    await closeHubs()

    const without = await openWith(second)
    const { deps } = without
    expect([keyOf(deps, 'fal'), sourceOf(without)]).toEqual([null, 'unreadable'])
    expect(webhookSecretOf(deps, 'fal')).toBeNull()
    expect(isUsable(deps, 'fal')).toBe(false)
    // The environment's may be of another account: nobody goes on with it unseen.
    expect([keyOf(deps, 'openai'), sourceOf(without, 'openai')]).toEqual([null, 'unreadable'])
    const row = findProvider(deps, 'openai')
    expect(row && hasTwoKeys(deps, row)).toBe(true)
    expect(Object.keys(healthOf(deps))).toEqual(['sandbox', 'fal', 'openai'])

    await setKey(deps, ACTOR, 'fal', OTHER)
    expect([keyOf(deps, 'fal'), sourceOf(without)]).toEqual([OTHER, 'stored'])
  })
})

import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Environment, jsonOf, runHub, startHub } from '@test/support/process'
import { temporaryFolder } from '@test/support/test-db'
import { apiOf, type MadeApp } from './api'

const TIMEOUT_MS = 60_000

async function twoAtATime<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items]
  const work = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await act(item)
  }
  await Promise.all([work(), work()])
}

/** One JSON value, one line break, and nothing else on standard output. */
async function json(args: string[], folder: string, expected = 0, env: Environment = {}) {
  const { code, stdout, stderr } = await runHub([...args, '--json'], { folder, env })
  expect([args, code, stderr]).toEqual([args, expected, expect.any(String)])
  expect(stdout).toEndWith('\n')
  const value: unknown = JSON.parse(stdout)
  return value as Record<string, unknown>
}

test.concurrent(
  'every command with --json prints one JSON value and nothing else',
  async () => {
    const folder = join(temporaryFolder(), 'data')
    const made = (await json(
      ['apps', 'create', '--name', 'My App', '--slug', 'my-app', '--grant', '7'],
      folder,
    )) as MadeApp & { app: Record<string, unknown> }
    expect(made).toEqual({
      app: {
        id: expect.stringMatching(/^app_/),
        name: 'My App',
        slug: 'my-app',
        key_prefix: 'myapp',
        welcome_grant: 7,
        rate_limit_per_user: 30,
        rate_limit_per_app: 1_000,
        is_enabled: true,
        time_zone: 'UTC',
        monthly_budget_micro_usd: null,
        budget_action: 'refuse',
        low_balance_threshold: null,
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      },
      api_key: expect.stringMatching(/^myapp_live_[0-9A-Za-z]{49}$/),
      test_api_key: expect.stringMatching(/^myapp_test_[0-9A-Za-z]{49}$/),
      webhook_secret: expect.stringMatching(/^whsec_/),
      test_webhook_secret: expect.stringMatching(/^whsec_/),
    } as never)
    expect(await json(['apps', 'list'], folder)).toEqual([made.app] as never)
    const set = ['apps', 'set', '--app', 'my-app', '--time-zone', 'europe/berlin']
    const limits = ['--monthly-budget-usd', '99.50', '--budget-action', 'warn', '--low-balance']
    const limited = {
      ...made.app,
      time_zone: 'Europe/Berlin',
      monthly_budget_micro_usd: 99_500_000,
      budget_action: 'warn',
      low_balance_threshold: 5,
    }
    expect(await json([...set, ...limits, '5'], folder)).toEqual(limited)
    const off = { ...limited, is_enabled: false }
    expect(await json(['apps', 'disable', '--app', 'my-app'], folder)).toEqual(off)
    expect(await json(['apps', 'enable', '--app', 'my-app'], folder)).toEqual(limited)
    const budgets = (await json(['budgets'], folder, 0, {
      MONTHLY_BUDGET_USD: '250',
    })) as unknown as Record<string, unknown>[]
    expect(budgets.map(({ budget, app, state }) => [budget, app, state])).toEqual([
      ['hub', null, 'safe'],
      ['app', 'my-app', 'safe'],
    ])
    const end = ['budgets', 'set', '--hub-action', 'warn', '--unknown-cost-usd', '0.25']
    const atEnd = { hub_action: 'warn', unknown_cost_micro_usd: 250_000 }
    expect(await json(end, folder)).toEqual(atEnd)
    expect(await json(end.slice(0, 4), folder)).toEqual(atEnd)
    const none = ['--monthly-budget-usd', 'none', '--low-balance', 'none']
    expect(await json(['apps', 'set', '--app', 'my-app', ...none], folder)).toEqual({
      ...limited,
      monthly_budget_micro_usd: null,
      low_balance_threshold: null,
    })

    const key = await json(['keys', 'create', '--app', 'my-app', '--kind', 'publishable'], folder)
    expect(key).toEqual({
      id: expect.stringMatching(/^key_/),
      kind: 'publishable',
      mode: 'live',
      api_key: expect.stringMatching(/^myapp_live_pk_[0-9A-Za-z]{49}$/),
    })
    const byText = await json(['keys', 'revoke', `${key.api_key}`], folder)
    expect(byText).toEqual({ id: key.id, revoked: true })
    expect(await json(['keys', 'revoke', `${key.id}`], folder)).toEqual(byText)
    const keys = (await json(['keys', 'list', '--app', 'my-app'], folder)) as never as {
      id: string
      revoked_at: string | null
    }[]
    expect(keys.map(({ id, revoked_at }) => [id === key.id, revoked_at !== null])).toEqual([
      [false, false],
      [true, true],
      [false, false],
    ])

    const grant = ['tokens', 'grant', '--app', 'my-app', '--user', 'anna', '--amount', '5']
    expect(await json(grant, folder)).toEqual({
      external_id: 'anna',
      mode: 'live',
      previous_balance: 7,
      amount_added: 5,
      debt_paid: 0,
      new_balance: 12,
      transaction_id: expect.stringMatching(/^txn_/),
    })
    const ofAnna = ['--app', 'my-app', '--user', 'anna']
    expect(await json(['tokens', 'adjust', ...ofAnna, '--amount=-10'], folder)).toMatchObject({
      previous_balance: 12,
      amount: -10,
      new_balance: 2,
    })
    const story = (await json(['ledger', 'explain', ...ofAnna], folder)) as never as {
      type: string | null
      text: string
      transaction_id: string | null
    }[]
    expect(story.map(({ type }) => type)).toEqual(['GRANT', 'GRANT', 'ADMIN_ADJUSTMENT', null])
    const reverse = ['tokens', 'reverse', ...ofAnna, '--transaction']
    expect(await json([...reverse, `${story[1]?.transaction_id}`], folder)).toMatchObject({
      tokens_taken: 2,
      tokens_owed: 3,
      new_balance: 0,
    })
    expect(await json(['ledger', 'grace', '--days', '3'], folder)).toEqual({ refund_grace_days: 3 })
    const ofApp = ['--app', 'my-app']
    const pro = ['plans', 'create', ...ofApp, '--template', 'pro', '--tokens', '60']
    expect(await json([...pro, '--jobs-per-day', '9'], folder)).toMatchObject({
      name: 'pro',
      tokens_per_period: 60,
      jobs_per_day: 9,
      max_concurrent: 3,
    })
    const setDefault = ['plans', 'set-default', 'pro', ...ofApp]
    expect(await json(setDefault, folder)).toEqual({ default_plan: 'pro' })
    expect(await json(['plans', 'list', ...ofApp], folder)).toMatchObject([
      { name: 'pro', is_default: true, is_enabled: true },
    ])
    const subscribe = ['plans', 'subscribe', '--plan', 'pro', '--app', 'my-app', '--user', 'anna']
    expect(await json(subscribe, folder)).toMatchObject({ plan: 'pro', next_plan: null })
    expect(await json(['ledger', 'verify'], folder)).toEqual({ ok: true, differences: [] })
    expect(await json(['doctor'], folder)).toMatchObject({ ok: true })
    expect(await json(['migrate'], folder)).toEqual({ applied: [], copy: null })
    expect(await json(['openapi'], folder)).toMatchObject({
      openapi: expect.stringMatching(/^3\.1/),
    })
    expect(await json(['health'], folder, 1, { PORT: '1' })).toEqual({ status: 'unreachable' })
    await using hub = await startHub({ folder })
    const { port } = new URL(hub.url)
    expect(await json(['health'], folder, 0, { PORT: port })).toMatchObject({ status: 'healthy' })
  },
  TIMEOUT_MS,
)

test.concurrent(
  'health is not fooled by something else on the port',
  async () => {
    using other = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('<html>') })
    const env = { PORT: `${other.port}` }
    expect(await json(['health'], temporaryFolder(), 1, env)).toEqual({ status: 'unreachable' })
  },
  TIMEOUT_MS,
)

describe('exit codes', () => {
  const WRONG: string[][] = [
    ['nonsense'],
    ['serve', '--port', '80'],
    ['apps', 'delete'],
    ['apps', 'create', '--slug', 'x'],
    ['apps', 'create', '--name', 'X', '--slug', 'x', '--grant', 'many'],
    ['keys', 'create'],
    ['keys', 'create', '--app', 'x', '--kind', 'private'],
    ['keys', 'revoke'],
    ['tokens', 'grant', '--app', 'x', '--user', 'u'],
    ['tokens', 'grant', '--app', 'x', '--user', 'u', '--amount=-5'],
    ['tokens', 'grant', '--app', 'x', '--user', 'me', '--amount', '5'],
    ['ledger'],
    ['openapi', '--yaml'],
    ['providers'],
    ['providers', 'set-key'],
    ['providers', 'set-key', 'fal', '--key', 'x'],
    ['providers', 'test', 'fal', 'openai'],
    ['providers', 'pause'],
    ['models'],
    ['models', 'show'],
    ['models', 'set', 'flux-schnell'],
    ['models', 'set', 'flux-schnell', '--strategy', 'dearest'],
    ['models', 'set', 'flux-schnell', '--enable', '--disable'],
    ['models', 'set', 'flux-schnell', '--token-cost', 'free'],
    ['prices'],
    ['plans'],
    ['plans', 'list'],
    ['plans', 'set-default', '--app', 'none'],
    ['plans', 'subscribe', '--app', 'none', '--user', 'a'],
    ['plans', 'subscribe', '--app', 'none', '--user', 'a', '--plan', 'p', '--when', 'soon'],
    ['plans', 'subscribe', '--app', 'none', '--user', 'a', '--plan', 'p', '--period-start', 'x'],
    ['prices', 'set'],
    ['prices', 'show', 'sdxl'],
    ['prices', 'show', 'model:sdxl', '--try', '{'],
    ['prices', 'show', 'model:sdxl', '--try', '{"prompt":"a"}'],
    ['prices', 'list', '--mode', 'test'],
    ['routes', 'list'],
    ['routes', 'set', 'flux-schnell', '--priority', '1'],
    ['routes', 'set', 'flux-schnell', 'fal'],
    ['routes', 'set', 'flux-schnell', 'fal', '--quality', 'high'],
    ['apps', 'set', '--app', 'x'],
    ['apps', 'set', '--app', 'x', '--strategy', 'dearest'],
    ['apps', 'set', '--app', 'x', '--monthly-budget-usd', '1,50'],
    ['apps', 'set', '--app', 'x', '--budget-action', 'stop'],
    ['apps', 'set', '--app', 'x', '--low-balance', 'few'],
    ['apps', 'disable'],
    ['budgets', 'show'],
    ['budgets', 'set'],
    ['budgets', 'set', '--hub-action', 'stop'],
    ['budgets', 'set', '--unknown-cost-usd=-1'],
  ]
  test.concurrent(
    'wrong use ends with 2, says what is right on standard error, and makes nothing',
    async () => {
      const folder = join(temporaryFolder(), 'data')
      await twoAtATime(WRONG, async args => {
        const { code, stdout, stderr } = await runHub([...args, '--json'], { folder })
        expect([args, code, stdout]).toEqual([args, 2, ''])
        expect(stderr).toMatch(/^[^\n]+\n\n(hub|AI Backend Hub)/)
      })
      expect(existsSync(folder)).toBe(false)
    },
    TIMEOUT_MS,
  )

  const FAILING: [string[], RegExp][] = [
    [['apps', 'create', '--name', 'X', '--slug', 'taken'], /^an app with the slug taken exists\n$/],
    [
      ['apps', 'create', '--name', 'X', '--slug', 'No Good'],
      /^--slug must have 1 to 40 lower-case/,
    ],
    [['apps', 'create', '--name', 'X', '--slug', 'x', '--prefix', 'x'], /^--prefix must have 2 to/],
    [['keys', 'create', '--app', 'none'], /^there is no app none; `hub apps list` shows/],
    [['keys', 'list', '--app', 'none'], /^there is no app none; `hub apps list` shows/],
    [['keys', 'revoke', 'key_00000000000'], /^there is no such key; `hub keys list --app S` shows/],
    [['keys', 'revoke', 'mistyped'], /^there is no such key; `hub keys list --app S` shows/],
    [['tokens', 'grant', '--app', 'none', '--user', 'u', '--amount', '1'], /^there is no app none/],
    [['apps', 'set', '--app', 'none', '--strategy', 'best'], /^there is no app none; `hub apps/],
    [['apps', 'disable', '--app', 'none'], /^there is no app none; `hub apps list` shows/],
    [
      ['apps', 'set', '--app', 'taken', '--time-zone', 'Mars/Base'],
      /^--time-zone must be the name/,
    ],
    [['models', 'show', 'none'], /^there is no model none; `hub models list` shows/],
    [['models', 'set', 'none', '--enable'], /^there is no model none; `hub models list` shows/],
    [['models', 'set', 'flux-schnell', '--token-cost', '1000001'], /^--token-cost must be a whole/],
    [['plans', 'list', '--app', 'none'], /^there is no app none; `hub apps list` shows/],
    [['prices', 'list', '--app', 'none'], /^there is no app none; `hub apps list` shows/],
    [['prices', 'show', 'model:sdxl'], /^there is no rule for model:sdxl of the hub\n$/],
    [['prices', 'remove', 'feature:x'], /^there is no rule for feature:x of the hub\n$/],
    [['routes', 'set', 'none', 'fal', '--enable'], /^there is no model none; `hub models list`/],
    [
      ['routes', 'set', 'flux-schnell', 'none', '--enable'],
      /^none has no route for flux-schnell; /,
    ],
    [['routes', 'set', 'flux-schnell', 'fal', '--quality', '101'], /^--quality must be a whole/],
    [
      ['routes', 'set', 'flux-schnell', 'fal', '--max-concurrent', '0'],
      /^--max-concurrent must be a whole/,
    ],
    [['providers', 'remove-key', 'none'], /^there is no provider none; `hub providers list`/],
    [['providers', 'resume', 'none'], /^there is no provider none; `hub providers list`/],
  ]
  test.concurrent(
    'what cannot be done ends with 1 and one sentence on standard error',
    async () => {
      const folder = temporaryFolder()
      await jsonOf(['apps', 'create', '--name', 'Taken', '--slug', 'taken'], { folder })
      await twoAtATime(FAILING, async ([args, says]) => {
        const { code, stdout, stderr } = await runHub([...args, '--json'], { folder })
        expect([args, code, stdout]).toEqual([args, 1, ''])
        expect(stderr).toMatch(says)
        expect(stderr.trimEnd()).not.toContain('\n')
      })
    },
    TIMEOUT_MS,
  )

  test.concurrent(
    'a command that needs a database makes none where there is none',
    async () => {
      const folder = join(temporaryFolder(), 'mistyped')
      for (const args of [
        ['apps', 'list'],
        ['keys', 'list', '--app', 'x'],
        ['tokens', 'grant', '--app', 'x', '--user', 'u', '--amount', '1'],
        ['ledger', 'verify'],
        ['providers', 'list'],
        ['models', 'list'],
        ['prices', 'list'],
      ]) {
        const { code, stderr } = await runHub(args, { folder })
        expect([args, code]).toEqual([args, 1])
        expect(stderr).toStartWith(`there is no database in ${folder}; `)
      }
      expect(existsSync(folder)).toBe(false)
    },
    TIMEOUT_MS,
  )
})

test.concurrent(
  'apps create on a fresh folder, before any server: the operator is told once to keep the key, and it works',
  async () => {
    const folder = join(temporaryFolder(), 'data')
    const args = ['apps', 'create', '--name', 'First', '--slug', 'first', '--json']
    const first = await runHub(args, { folder })
    expect(first.stderr).toContain(`A secret key was made: ${folder}/secret.key\nKeep this:`)
    await using hub = await startHub({ folder })
    expect(hub.stderr()).not.toContain('secret.key')
    const { api_key } = JSON.parse(first.stdout) as MadeApp
    expect((await apiOf(hub.url, api_key).call('GET', '/api/v1/models')).status).toBe(200)
  },
  TIMEOUT_MS,
)

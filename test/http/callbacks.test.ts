import { afterAll, beforeAll, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { httpDoor, tenant } from '@test/support/factory'
import { type FakeProvider, fakeProvider, pendingForEver } from '@test/support/fake-provider'
import { addRoute, type TestHub, testHub } from '@test/support/test-hub'
import { formatId } from '@/base/ids'
import { callbackToken } from '@/domain/generation/callback-token'

/** The door for vendors: an address for one attempt, and their own signature. */
let hub: TestHub
let client: Client
let provider: FakeProvider
let path: string

beforeAll(async () => {
  provider = fakeProvider({ canCallBack: true })
  provider.script(pendingForEver())
  const other = fakeProvider({ name: 'other', canCallBack: true })
  hub = await testHub({
    providers: [provider, other],
    config: { publicUrl: 'https://hub.example' },
  })
  await addRoute(hub.deps, { model: 'sdxl', provider: 'fake' })
  client = apiClient(httpDoor(hub.deps))
  const shop = await tenant(hub.deps, { welcomeGrant: 10 })
  const ann = client.as({ key: shop.keys.live.secret, user: 'ann' })
  await ann.post('/api/v1/generate', { model: 'sdxl', input: { prompt: 'a' } })
  await hub.runner.settleAll()
  const { id } = hub.deps.db.sqlite.query('SELECT id FROM attempts').get() as { id: never }
  path = `/callbacks/fake/${formatId('attempt', id)}/${callbackToken(hub.deps, id)}`
})
afterAll(() => hub.close())

const SIGNED = { 'x-fake-signature': 'good', 'content-type': 'application/octet-stream' }
const call = (at: string, headers: Record<string, string>, body = '{"id":"event-1"}') =>
  client.send('POST', at, { headers, body })
const inbox = () => hub.deps.db.sqlite.query('SELECT count(*) AS n FROM inbox').get()

test('a signed call of the vendor is noted, and noted once', async () => {
  expect(new URL(provider.starts[0]?.context.callbackUrl ?? '').pathname).toBe(path)
  for (let i = 0; i < 3; i++) {
    const answer = await call(path, SIGNED)
    expect([answer.status, answer.json()]).toEqual([200, { received: true }])
    expect(inbox()).toEqual({ n: 1 })
  }
})

test('anything else is a 404, the same for every reason', async () => {
  const [, , vendor = '', attempt = '', token = ''] = path.split('/')
  const before = inbox()
  const wrong: [string, Record<string, string>][] = [
    [path, {}],
    [path, { 'x-fake-signature': 'bad' }],
    [`/callbacks/sandbox/${attempt}/${token}`, SIGNED],
    // It would take this signature, and the attempt is not its own.
    [`/callbacks/other/${attempt}/${token}`, SIGNED],
    [`/callbacks/nobody/${attempt}/${token}`, SIGNED],
    [`/callbacks/__proto__/${attempt}/${token}`, SIGNED],
    [`/callbacks/${vendor}/att_00000000001/${token}`, SIGNED],
    [`/callbacks/${vendor}/${attempt.replace('att', 'job')}/${token}`, SIGNED],
    [`/callbacks/${vendor}/${attempt}/${token.slice(0, -2)}`, SIGNED],
    [`/callbacks/${vendor}/${attempt}/${token}AA`, SIGNED],
    [`/callbacks/${vendor}/${attempt}/%00`, SIGNED],
  ]
  for (const [at, headers] of wrong) {
    const answer = await call(at, headers)
    const { request_id: _, ...body } = answer.json()
    expect([at, answer.status, body]).toEqual([
      at,
      404,
      { code: 'not_found', error: 'There is nothing here for this key.' },
    ])
  }
  const notJson = await call(path, SIGNED, '{')
  expect(notJson.status).toBe(404)
  expect(inbox()).toEqual(before)
})

test('more than 8 MB is a 413', async () => {
  const answer = await call(path, SIGNED, 'x'.repeat(8 * 1024 * 1024 + 1))
  expect([answer.status, answer.json().max_bytes]).toEqual([413, 8 * 1024 * 1024])
})

test('a full disk is a 503, so that the vendor calls again', async () => {
  const { sqlite } = hub.deps.db
  const { page_count } = sqlite.query('PRAGMA page_count').get() as { page_count: number }
  const before = inbox()
  const body = JSON.stringify({ id: 'event-2', more: 'x'.repeat(200_000) })
  sqlite.run(`PRAGMA max_page_count = ${page_count}`)
  const large = JSON.stringify({ id: 'e'.repeat(2_000_000) })
  const refused = await call(path, SIGNED, large)
  expect([refused.status, refused.json().code]).toEqual([503, 'busy'])
  expect(inbox()).toEqual(before)
  sqlite.run('PRAGMA max_page_count = 1073741823')
  expect((await call(path, SIGNED, body)).status).toBe(200)
})

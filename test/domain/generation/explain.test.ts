import { afterAll, beforeAll, expect, test } from 'bun:test'
import { apiClient } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import { type TestHub, testHub } from '@test/support/test-hub'
import { type JobId, parseId, type UserId } from '@/base/ids'
import { explain } from '@/domain/generation'

let hub: TestHub
let shop: Tenant
let job: JobId

beforeAll(async () => {
  hub = await testHub()
  shop = await tenant(hub.deps, { welcomeGrant: 10 })
  const ann = apiClient(httpDoor(hub.deps), { key: shop.keys.test.secret, user: 'ann' })
  const made = await ann.post('/api/v1/generate', {
    model: 'flux-schnell',
    input: { prompt: 'a', provider_params: { sandbox: { canned: true } } },
  })
  job = parseId('job', made.json<{ job_id: string }>().job_id) as JobId
  await hub.runner.settleAll()
})
afterAll(() => hub.close())

const rowOf = (sql: string) => hub.deps.db.sqlite.query(sql).get() as { id: UserId }
const scope = (userId: UserId | null) => ({ realmId: shop.realms.test.id, userId })

test('is for the realm of the job, or its user', () => {
  const { id: ann } = rowOf("SELECT id FROM users WHERE external_id = 'ann'")
  const tries = [{ number: 1, provider: 'sandbox', state: 'succeeded', isPermanent: false }]
  expect(explain(hub.deps, scope(null), job)).toMatchObject(tries)
  expect(explain(hub.deps, scope(ann), job)).toMatchObject(tries)
})

test('is null for anybody else, and for no job', () => {
  expect(explain(hub.deps, scope(1 as UserId), job)).toBeNull()
  const elsewhere = { realmId: shop.realms.live.id, userId: null }
  expect(explain(hub.deps, elsewhere, job)).toBeNull()
  expect(explain(hub.deps, scope(null), 1 as JobId)).toBeNull()
})

test('stays when the person is erased', async () => {
  const server = apiClient(httpDoor(hub.deps), { key: shop.keys.test.secret })
  expect((await server.delete('/api/v1/users/ann')).status).toBe(200)
  await hub.runner.settleAll()
  expect(explain(hub.deps, scope(null), job)).toHaveLength(1)
})

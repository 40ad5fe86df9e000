import { expect, test } from 'bun:test'
import { jsonOf, startHub, until } from '@test/support/process'
import { apiOf, isFinal, makeApp, sandboxed } from './api'

test('an app that is switched off in the shell is refused at once, and what it had accepted ends well', async () => {
  await using hub = await startHub()
  const { folder } = hub
  const shell = (...args: string[]) => jsonOf(['apps', ...args], { folder })
  const off = await makeApp(folder, { slug: 'off' })
  const other = await makeApp(folder, { slug: 'other' })
  const keys = [off.test_api_key, off.api_key]
  const api = apiOf(hub.url, off.test_api_key)
  const slow = { input: sandboxed({ latency_ms: 4_000, mode: 'async' }) }
  const { status, body } = await api.generate(slow)
  expect(status).toBe(202)

  await shell('disable', '--app', 'off')
  for (const key of keys) {
    const refused = await apiOf(hub.url, key).generate(slow)
    expect([refused.status, refused.body.code]).toEqual([403, 'app_disabled'])
  }
  expect((await api.job(body.job_id)).body.code).toBe('app_disabled')
  expect((await apiOf(hub.url, other.test_api_key).generate({})).status).toBe(202)

  await shell('enable', '--app', 'off')
  const found = await api.job(body.job_id)
  expect(found.status).toBe(200)
  expect(isFinal(found.body)).toBe(false)
  await shell('disable', '--app', 'off')
  await shell('enable', '--app', 'off')
  await until('the end of the job', async () => isFinal((await api.job(body.job_id)).body), 20_000)
  expect((await api.job(body.job_id)).body.status).toBe('succeeded')
}, 60_000)

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { type TestServer, testServer } from '@test/support/test-server'
import { sha256Hex } from '@/base/secrets'
import scalar from '@/http/docs/scalar.json'
import { openapiDocument } from '@/http/openapi'
import { OPERATIONS } from '@/http/operations'
import { VERSION } from '@/version'

/** The reference in a browser: everything that it needs comes from us. */
let server: TestServer
let client: Client

beforeAll(async () => {
  server = await testServer()
  client = apiClient(server)
})
afterAll(() => server.stop())

const SCRIPT = `/docs/scalar-${scalar.version}.js`

test('/docs is a page whose script and document come from us', async () => {
  const page = await client.get('/docs')
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  const sources = [...page.text.matchAll(/<script[^>]*\ssrc="([^"]*)"/g)].map(
    ([, source]) => source,
  )
  expect(sources).toEqual([SCRIPT])
  const [, configuration = ''] = /data-configuration='([^']*)'/.exec(page.text) ?? []
  expect(JSON.parse(configuration)).toMatchObject({
    url: '/docs/json',
    cdn: SCRIPT,
    withDefaultFonts: false,
    telemetry: false,
    agent: { disabled: true },
    mcp: { disabled: true },
  })
  // No script of its own, no style sheet, picture, frame or font from anywhere.
  const inline = [...page.text.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/g)]
  expect(inline.map(([, text]) => text?.trim())).toEqual([''])
  expect(page.text).not.toMatch(/<(link|img|iframe|object|embed|base|form)\b/i)
  expect(page.text).not.toMatch(/\bhttps?:|\/\/[a-z]|@import|\burl\(|\son\w+=/i)
})

test('/docs may reach nobody but us', async () => {
  const policy = (await client.get('/docs')).headers.get('content-security-policy') ?? ''
  const rules = Object.fromEntries(
    policy.split('; ').map(rule => {
      const [name = '', ...sources] = rule.split(' ')
      return [name, sources.join(' ')]
    }),
  )
  expect(rules).toEqual({
    'default-src': "'none'",
    'script-src': "'self'",
    'style-src': "'self' 'unsafe-inline'",
    'img-src': "'self' data:",
    'font-src': "'self' data:",
    'connect-src': "'self'",
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
  })
})

test('the script is the one that was packed, as gzip, to be kept', async () => {
  const asked = await fetch(server.url + SCRIPT, { decompress: false } as RequestInit)
  const packed = new Uint8Array(await asked.arrayBuffer())
  expect(asked.headers.get('content-encoding')).toBe('gzip')
  expect(asked.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
  expect(asked.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  expect(sha256Hex(packed)).toBe(scalar.packed_sha256)
  const script = Bun.gunzipSync(packed)
  expect(sha256Hex(script)).toBe(scalar.bundle_sha256)
  const unpacked = await client.get(SCRIPT)
  expect(sha256Hex(unpacked.bytes)).toBe(scalar.bundle_sha256)
})

test('/docs/json is the document of this version', async () => {
  const answer = await client.get('/docs/json')
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
  const document = openapiDocument(OPERATIONS, { version: VERSION })
  expect(answer.json()).toEqual(JSON.parse(JSON.stringify(document)))
})

test('/swagger leads to /docs', async () => {
  const answer = await client.get('/swagger')
  expect([answer.status, answer.headers.get('location'), answer.text]).toEqual([302, '/docs', ''])
})

test('nothing else of the plugin is served', async () => {
  for (const path of ['/docs/plugin.json', '/docs/scalar.js', '/swagger/json', '/openapi']) {
    expect((await client.get(path, { isOutside: true })).status).toBe(404)
  }
})

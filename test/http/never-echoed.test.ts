import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Answer, apiClient, type Client, type Send } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import { type TestHub, testHub } from '@test/support/test-hub'
import { OPERATIONS } from '@/http/operations'
import { type GoodRequest, goodRequests, placesIn, withAt } from './good-requests'

/**
 * What a caller sends is in no error and in no line of the log: prompts are private, and an error that
 * repeats its input is how scripts get into web pages and keys into log stores. A marked word goes into
 * every field, every parameter and every header of every operation.
 */
const WORD = 'canary7x'
const NUMBER = 7_770_777.5
const VALUES: unknown[] = [
  WORD,
  `<script>${WORD}</script>`,
  `${WORD}"\n\r\t'\\\u2028`,
  ` ${WORD} `,
  WORD.repeat(5_000),
  `https://${WORD}:pw@10.0.0.1/${WORD}`,
  `data:${WORD}`,
  NUMBER,
  -NUMBER,
  [WORD],
  { a: WORD },
  [[{ a: [WORD] }]],
  null,
  true,
]

let hub: TestHub
let shop: Tenant
let client: Client
let job: string

beforeAll(async () => {
  hub = await testHub({ isRunning: false, config: { addressRateLimit: 1_000_000 } })
  shop = await tenant(hub.deps, { welcomeGrant: 100_000 })
  client = apiClient(httpDoor(hub.deps))
  const ann = client.as({ key: shop.keys.test.secret, user: 'ann' })
  const made = await ann.post('/api/v1/generate', { model: 'sdxl', input: { prompt: 'a' } })
  job = made.json<{ job_id: string }>().job_id
})
afterAll(() => hub.close())

let refused = 0
let taken = 0

function look(label: string, answer: Answer): void {
  if (answer.status < 400) {
    taken++
    return
  }
  refused++
  const headers = JSON.stringify([...answer.headers])
  for (const text of [answer.text, headers]) {
    expect([label, text.includes(WORD), text.includes('7770777')]).toEqual([label, false, false])
  }
}

const secret = (): Send => ({ key: shop.keys.test.secret })

describe.each(OPERATIONS.map(({ id }) => id))('%s', id => {
  const request = () => goodRequests('ann', job)[id] as GoodRequest

  test('keeps the body to itself', async () => {
    const { method, path, json } = request()
    for (const place of json ? [...placesIn(json), ['idempotency_key'], ['more']] : []) {
      for (const value of VALUES) {
        const body = withAt(json, place, value)
        const user = id.startsWith('generate') ? { user: 'ann' } : {}
        const answer = await client.send(method, path, { ...secret(), ...user, json: body })
        look(`${place.join('.')}=${JSON.stringify(value)?.slice(0, 40)}`, answer)
      }
    }
    const texts = [WORD, `{"${WORD}":`, `{"a":${WORD}}`, `"${WORD}"`, `[${WORD}]`, `\u0000${WORD}`]
    for (const body of texts) {
      for (const type of ['application/json', `application/${WORD}`, `text/plain; a=${WORD}`]) {
        if (method === 'GET') continue
        const headers = { 'content-type': type }
        look(`body ${body}`, await client.send(method, path, { ...secret(), headers, body }))
      }
    }
  })

  test('keeps the address to itself', async () => {
    const { method, path, json } = request()
    const [bare = '', query = ''] = path.split('?')
    const segments = bare.split('/')
    const own = [job, 'ann', 'flux', 'sdxl', 'fil_00000000001.png', 'sandbox', 'att_00000000001']
    for (const value of VALUES.filter(value => typeof value === 'string')) {
      const text = encodeURIComponent(String(value)).slice(0, 4_000)
      for (const [i, segment] of segments.entries()) {
        if (!own.includes(segment)) continue
        const changed = segments.with(i, text).join('/')
        const answer = await client.send(method, changed, { ...secret(), json })
        look(changed.slice(0, 80), answer)
      }
      for (const name of new URLSearchParams(query).keys()) {
        const changed = new URLSearchParams(query)
        changed.set(name, String(value).slice(0, 4_000))
        const answer = await client.send(method, `${bare}?${changed}`, { ...secret(), json })
        look(`${name}=${text.slice(0, 40)}`, answer)
      }
    }
  })

  test('keeps the headers to itself', async () => {
    const { method, path, json } = request()
    const NAMES =
      'x-api-key authorization x-user-id x-user-token idempotency-key user-agent cookie referer origin ' +
      'accept range if-none-match if-range x-forwarded-for x-forwarded-host x-forwarded-proto prefer'
    const texts = [WORD, `Bearer ${WORD}`, `Basic ${WORD}`, `a=${WORD}; b=<${WORD}>`, `${WORD} {}`]
    for (const name of NAMES.split(' ')) {
      for (const text of texts) {
        const key = name === 'x-api-key' || name === 'authorization' ? {} : secret()
        const headers = { [name]: text }
        look(`${name}: ${text}`, await client.send(method, path, { ...key, headers, json }))
      }
    }
  })
})

test('the log has none of it either, and no failure of ours', () => {
  expect(refused).toBeGreaterThan(1_000)
  const text = hub.log.text()
  expect(hub.log.lines().length).toBeGreaterThanOrEqual(refused)
  expect(text.includes(WORD)).toBe(false)
  expect(text.includes('7770777')).toBe(false)
  expect(hub.log.lines().filter(({ level }) => level === 'error')).toEqual([])
  console.log(`never echoed: ${refused} refusals and ${taken} other answers`)
})

test('a name of a field is shown when it is a plain word, so that a typing error is found', async () => {
  const ann = client.as({ key: shop.keys.test.secret, user: 'ann' })
  const named = async (name: string) => {
    const input = { prompt: 'a', [name]: 1 }
    const answer = await ann.post('/api/v1/generate', { model: 'sdxl', input })
    return answer.json<{ details: { path: string }[] }>().details.map(({ path }) => path)
  }
  expect(await named('promtp')).toEqual(['input.promtp'])
  for (const name of ['<b>', 'a b', 'é', 'x'.repeat(65), '', 'a.b', "a'b"]) {
    expect(await named(name)).toEqual(['input.(unnamed)'])
  }
})

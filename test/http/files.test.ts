import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { apiClient, type Client } from '@test/support/client'
import { httpDoor, type Tenant, tenant } from '@test/support/factory'
import { fakeClock } from '@test/support/fake-clock'
import { testHub } from '@test/support/test-hub'
import { type TestServer, testServer } from '@test/support/test-server'
import { DAY, HOUR } from '@/base/clock'
import { sha256Hex } from '@/base/secrets'
import { parseRange } from '@/http/range'

/** Stored files by their signed links, over a true socket: bodies, ranges, caches and what runs where. */
let server: TestServer
let shop: Tenant
let client: Client
let link: URL
let output: { url: string; bytes: number; content_type: string; file_id: string }
let whole: Uint8Array

beforeAll(async () => {
  server = await testServer()
  shop = await tenant(server.deps, { welcomeGrant: 100 })
  client = apiClient(server)
  output = await makeOne(client, shop, () => server.runner.settleAll())
  link = new URL(output.url)
  whole = (await client.get(link.pathname + link.search)).bytes
})
afterAll(() => server.stop())

async function makeOne(
  door: Client,
  { keys }: Tenant,
  settle: () => Promise<void>,
  format = 'png',
) {
  const ann = door.as({ key: keys.test.secret, user: 'ann' })
  const input = { prompt: 'a gull', output_format: format, aspect_ratio: '1:1' }
  const made = await ann.post('/api/v1/generate', { model: 'flux-schnell', input })
  await settle()
  const job = await ann.get(`/api/v1/jobs/${made.json().job_id}`)
  const [first] = job.json<{ outputs: (typeof output)[] }>().outputs
  if (!first) throw new Error(`nothing was made: ${job.text}`)
  return first
}

const read = (headers: Record<string, string> = {}, method = 'GET') =>
  client.send(method, link.pathname + link.search, { headers })

describe('a signed link', () => {
  test('brings the whole file, as what it is', async () => {
    const answer = await read()
    expect(answer.status).toBe(200)
    expect(answer.bytes).toHaveLength(output.bytes)
    expect(answer.headers.get('content-type')).toBe('image/png')
    expect(answer.headers.get('content-length')).toBe(String(output.bytes))
    expect(answer.headers.get('accept-ranges')).toBe('bytes')
    expect([...answer.bytes.subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47])
    expect(answer.headers.get('etag')).toBe(`"${sha256Hex(answer.bytes).slice(0, 32)}"`)
  })
  test('needs no key, and does not mind one', async () => {
    expect((await read({ 'x-api-key': 'nonsense' })).status).toBe(200)
  })
  test.each([
    ['jpeg', 'image/jpeg', '.jpg'],
    ['webp', 'image/webp', '.webp'],
  ])('of a %s says so', async (format, type, extension) => {
    const made = await makeOne(client, shop, () => server.runner.settleAll(), format)
    const { pathname, search } = new URL(made.url)
    expect(pathname).toEndWith(extension)
    const answer = await client.get(pathname + search)
    expect(answer.headers.get('content-type')).toBe(type)
  })
  test('lets only its owner keep it, and until the link ends', async () => {
    const { headers } = await read()
    const [, seconds] =
      /^private, max-age=(\d+), immutable$/.exec(headers.get('cache-control') ?? '') ?? []
    const left = Number(link.searchParams.get('exp')) - server.deps.clock.wall() / 1_000
    expect(Number(seconds)).toBeWithin(left - 5, left + 5)
    expect(left).toBeGreaterThan((48 * HOUR) / 1_000 - 5)
  })
  test('runs nothing on our origin, and may be shown in an app', async () => {
    const { headers } = await read()
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; sandbox")
    expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin')
    const name = link.pathname.slice('/files/'.length)
    expect(headers.get('content-disposition')).toBe(`inline; filename="${name}"`)
  })
})

describe('HEAD', () => {
  test('says the same without the bytes', async () => {
    const [head, get] = [await read({}, 'HEAD'), await read()]
    expect([head.status, head.bytes.length]).toEqual([200, 0])
    for (const name of [
      'content-type',
      'content-length',
      'etag',
      'cache-control',
      'accept-ranges',
    ]) {
      expect([name, head.headers.get(name)]).toEqual([name, get.headers.get(name)])
    }
  })
  test('knows ranges and what is fresh', async () => {
    const part = await read({ range: 'bytes=0-9' }, 'HEAD')
    expect([part.status, part.headers.get('content-length')]).toEqual([206, '10'])
    const etag = part.headers.get('etag') ?? ''
    expect((await read({ 'if-none-match': etag }, 'HEAD')).status).toBe(304)
    expect((await client.send('HEAD', link.pathname)).status).toBe(404)
  })
})

describe('a range', () => {
  test('of the file is exactly those bytes', async () => {
    const last = output.bytes - 1
    const cases: [string, number, number][] = [
      ['bytes=0-0', 0, 0],
      ['bytes=0-99', 0, 99],
      ['bytes=100-199', 100, 199],
      [`bytes=${last}-${last}`, last, last],
      ['bytes=100-', 100, last],
      ['bytes=-1', last, last],
      ['bytes=-100', last - 99, last],
      [`bytes=-${output.bytes * 2}`, 0, last],
      [`bytes=${last}-${last + 1_000}`, last, last],
    ]
    for (const [range, start, end] of cases) {
      const answer = await read({ range })
      expect([range, answer.status]).toEqual([range, 206])
      expect(answer.headers.get('content-range')).toBe(`bytes ${start}-${end}/${output.bytes}`)
      expect(answer.headers.get('content-length')).toBe(String(end - start + 1))
      expect(answer.headers.get('content-type')).toBe('image/png')
      expect(answer.bytes).toEqual(whole.slice(start, end + 1))
    }
  })
  test('of parts puts the file together again', async () => {
    const step = Math.ceil(output.bytes / 3)
    const parts = await Promise.all(
      [0, 1, 2].map(i => read({ range: `bytes=${i * step}-${(i + 1) * step - 1}` })),
    )
    expect(Buffer.concat(parts.map(({ bytes }) => bytes)).equals(whole)).toBe(true)
  })
  test.each([
    'bytes=0-1,3-4',
    'lines=0-9',
    'bytes=9-0',
    'bytes=-',
    'bytes=a-b',
    'bytes=',
    'bytes 0-9',
    'bytes=0-9x',
  ])('that we do not serve brings the whole: %s', async range => {
    const answer = await read({ range })
    expect([answer.status, answer.bytes.length]).toEqual([200, output.bytes])
  })
  test('beyond the end is a 416 that says how long the file is', async () => {
    for (const range of [`bytes=${output.bytes}-`, 'bytes=999999999999-', 'bytes=-0']) {
      const answer = await read({ range })
      expect([range, answer.status, answer.bytes.length]).toEqual([range, 416, 0])
      expect(answer.headers.get('content-range')).toBe(`bytes */${output.bytes}`)
      expect(answer.headers.get('cache-control')).toBe('no-store')
    }
  })
  test('with If-Range is a part only of the very same file', async () => {
    const etag = (await read()).headers.get('etag') ?? ''
    const range = 'bytes=0-9'
    expect((await read({ range, 'if-range': etag })).status).toBe(206)
    for (const other of ['"other"', `W/${etag}`, 'Wed, 21 Oct 2026 07:28:00 GMT', etag.slice(1)]) {
      expect([other, (await read({ range, 'if-range': other })).status]).toEqual([other, 200])
    }
    const beyond = await read({ range: 'bytes=999999999-', 'if-range': '"other"' })
    expect(beyond.status).toBe(200)
  })
  test('is read as RFC 9110 has it', () => {
    expect(parseRange(null, 10)).toBeNull()
    expect(parseRange('bytes=0-9', 10)).toEqual({ start: 0, end: 9 })
    expect(parseRange('bytes=5-', 10)).toEqual({ start: 5, end: 9 })
    expect(parseRange('bytes=-3', 10)).toEqual({ start: 7, end: 9 })
    expect(parseRange('bytes=10-', 10)).toBe('unsatisfiable')
    expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable')
    expect(parseRange('bytes=-5', 0)).toBe('unsatisfiable')
    expect(parseRange('bytes=9999999999999999-', 10)).toBeNull()
  })
})

describe('a file that the caller has', () => {
  test('is a 304 without a body, with what a cache needs', async () => {
    const { headers } = await read()
    const etag = headers.get('etag') ?? ''
    for (const given of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const answer = await read({ 'if-none-match': given })
      expect([given, answer.status, answer.bytes.length]).toEqual([given, 304, 0])
      expect(answer.headers.get('etag')).toBe(etag)
      expect(answer.headers.get('cache-control')).toMatch(/^private, max-age=\d+, immutable$/)
    }
    for (const given of ['"other"', etag.slice(1, -1), '""']) {
      expect([given, (await read({ 'if-none-match': given })).status]).toEqual([given, 200])
    }
    const both = await read({ 'if-none-match': etag, range: 'bytes=0-9' })
    expect(both.status).toBe(304)
  })
})

describe('a link that is not ours', () => {
  const notFound = async (path: string) => {
    const answer = await client.get(path)
    expect([path, answer.status, answer.json().code]).toEqual([path, 404, 'not_found'])
    expect(answer.headers.get('cache-control')).toBe('no-store')
  }
  test('is a 404 without a signature, or with a part of it', async () => {
    const { pathname: path } = link
    const [exp, sig] = [link.searchParams.get('exp') ?? '', link.searchParams.get('sig') ?? '']
    for (const query of [
      '',
      '?',
      `?exp=${exp}`,
      `?sig=${sig}`,
      `?exp=${exp}&sig=`,
      `?exp=&sig=${sig}`,
      `?exp=${exp}&sig=${sig.slice(0, -2)}`,
      `?exp=${exp}&sig=${sig}AA`,
      `?exp=${exp}&sig=${'A'.repeat(22)}`,
      `?exp=${Number(exp) + 86_400}&sig=${sig}`,
      `?exp=${Number(exp) - 1}&sig=${sig}`,
      `?exp=-1&sig=${sig}`,
      `?exp=${exp}.0&sig=${sig}`,
      `?exp=1e12&sig=${sig}`,
      `?exp=${'9'.repeat(30)}&sig=${sig}`,
      `?EXP=${exp}&SIG=${sig}`,
      `?exp=${exp}&sig=${sig}&sig=x`,
    ]) {
      await notFound(path + query)
    }
  })
  test('is a 404 with any byte of the signature changed', async () => {
    const sig = Buffer.from(link.searchParams.get('sig') ?? '', 'base64url')
    expect(sig).toHaveLength(16)
    for (let i = 0; i < sig.length; i++) {
      const changed = Buffer.from(sig)
      changed[i] = (changed[i] ?? 0) ^ 1
      await notFound(
        `${link.pathname}?exp=${link.searchParams.get('exp')}&sig=${changed.toString('base64url')}`,
      )
    }
  })
  test('is a 404 for another file, or a file that is gone', async () => {
    const other = new URL((await makeOne(client, shop, () => server.runner.settleAll())).url)
    await notFound(other.pathname + link.search)
    await notFound(`/files/fil_00000000001.png${link.search}`)
    server.deps.db.sqlite.run(
      'UPDATE files SET is_doomed = 1 WHERE bytes > 0 AND id = (SELECT max(id) FROM files)',
    )
    await notFound(other.pathname + other.search)
    expect((await client.get(link.pathname + link.search)).status).toBe(200)
  })
  test('is a 404 when it has ended, to the second', async () => {
    const clock = fakeClock()
    const hub = await testHub({ clock })
    try {
      const door = apiClient(httpDoor(hub.deps))
      const made = await makeOne(door, await tenant(hub.deps, { welcomeGrant: 9 }), () =>
        hub.runner.settleAll(),
      )
      const { pathname, search, searchParams } = new URL(made.url)
      const ends = Number(searchParams.get('exp')) * 1_000
      expect(ends % DAY).toBe(0)
      expect(ends - clock.wall()).toBeWithin(48 * HOUR, 72 * HOUR)
      clock.setWall(ends - 1_000)
      const last = await door.get(pathname + search)
      expect([last.status, last.headers.get('cache-control')]).toEqual([
        200,
        'private, max-age=1, immutable',
      ])
      clock.setWall(ends)
      expect((await door.get(pathname + search)).status).toBe(404)
    } finally {
      await hub.close()
    }
  })
})

test('a job hands out the same link all day, and a live one at any time', async () => {
  const clock = fakeClock(Date.UTC(2026, 0, 15, 0, 0, 1))
  const hub = await testHub({ clock })
  try {
    const door = apiClient(httpDoor(hub.deps))
    const app = await tenant(hub.deps, { welcomeGrant: 9 })
    const made = await makeOne(door, app, () => hub.runner.settleAll())
    const again = async () => {
      const jobs = await door.get('/api/v1/jobs', { key: app.keys.test.secret })
      const [job] = jobs.json<{ data: { outputs: { url: string }[] }[] }>().data
      return job?.outputs[0]?.url
    }
    clock.setWall(Date.UTC(2026, 0, 15, 23, 59, 59))
    expect(await again()).toBe(made.url)
    clock.setWall(Date.UTC(2026, 0, 16, 0, 0, 1))
    expect(await again()).not.toBe(made.url)
    clock.setWall(Date.UTC(2027, 5, 1))
    const later = new URL((await again()) ?? '')
    expect((await door.get(later.pathname + later.search)).status).toBe(200)
  } finally {
    await hub.close()
  }
})

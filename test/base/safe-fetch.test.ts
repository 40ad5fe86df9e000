import { afterAll, afterEach, beforeAll, describe, expect, spyOn, test } from 'bun:test'
import type { Socket } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { gzipSync } from 'node:zlib'
import {
  answer,
  closedPort,
  type Peer,
  type Script,
  SELF_SIGNED,
  startPeer,
} from '@test/support/toxic'
import {
  BlockedDestination,
  checkDestination,
  createSafeFetch,
  FetchFailure,
  type FetchFailureCode,
  type SafeFetchInit,
} from '@/base/safe-fetch'

const peers: Peer[] = []

async function peerThat(script: Script, tls?: typeof SELF_SIGNED): Promise<Peer> {
  const peer = await startPeer(script, tls)
  peers.push(peer)
  return peer
}

const canary = () => peerThat(socket => socket.write(answer('canary')))

afterEach(async () => {
  await Promise.all(peers.splice(0).map(peer => peer.close()))
})

/** A client that reaches loopback, as the operator may allow. */
const open = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
const local = (peer: Peer) => `http://127.0.0.1:${peer.port}/`

async function thrownBy(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'nothing was thrown',
    error => error,
  )
}

async function failureOf(work: Promise<unknown>) {
  const error = await thrownBy(work)
  if (!(error instanceof FetchFailure)) throw new Error('not a FetchFailure', { cause: error })
  return { code: error.code, mayHaveBeenSent: error.mayHaveBeenSent }
}

const read = async (url: string, init?: SafeFetchInit) => (await open(url, init)).text()

/** Spellings with which a plain fetch, given the port of a server on loopback, does reach it. */
const reachesLoopback = (port: number) => [
  `http://127.0.0.1:${port}/`,
  `HTTP://127.0.0.1:${port}/`,
  `http://localhost:${port}/`,
  `http://LOCALHOST:${port}/`,
  `http://ⓛocalhost:${port}/`,
  `http://127.1:${port}/`,
  `http://127.0.1:${port}/`,
  `http://0:${port}/`,
  `http://0.0.0.0:${port}/`,
  `http://2130706433:${port}/`,
  `http://0x7f000001:${port}/`,
  `http://0x7f.1:${port}/`,
  `http://0x7f.0x0.0x0.0x1:${port}/`,
  `http://0177.0.0.1:${port}/`,
  `http://0177.0.0x0.1:${port}/`,
  `http://017700000001:${port}/`,
  `http://127.0.0.1.:${port}/`,
  `http://%31%32%37.0.0.1:${port}/`,
  `http://１２７.０.０.１:${port}/`,
  `http://①②⑦.⓪.⓪.①:${port}/`,
  `http://127。0。0。1:${port}/`,
  `http://1\u00ad27.0.0.1:${port}/`,
  `http://user:password@127.0.0.1:${port}/`,
  `http://example.com@127.0.0.1:${port}/`,
  `http://example.com:443@127.0.0.1:${port}/`,
  `http://@127.0.0.1:${port}/`,
  `http://127.0.0.1:${port}#@example.com/`,
  `http://127.0.0.1:${port}?@example.com/`,
  `http://127.0.0.1:${port}\\@example.com/`,
  `http:\\\\127.0.0.1:${port}\\`,
  `http:/127.0.0.1:${port}/`,
  `http:127.0.0.1:${port}/`,
  `http:////127.0.0.1:${port}/`,
  ` http://127.0.0.1:${port}/`,
  `\thttp://127.0.0.1:${port}/ `,
  `\u0000http://127.0.0.1:${port}/`,
  `ht\ntp://127.0.0.1:${port}/`,
  `http://127.0\r\n.0.1:${port}/`,
]

/** What no plain fetch takes to loopback, or only some systems do, and what must be refused all the same. */
const otherwiseBad = (port: number) => [
  `http://[::1]:${port}/`,
  `http://[::]:${port}/`,
  `http://[0:0:0:0:0:0:0:1]:${port}/`,
  `http://[::ffff:127.0.0.1]:${port}/`,
  `http://[::ffff:7f00:1]:${port}/`,
  `http://[::127.0.0.1]:${port}/`,
  `http://[::ffff:0:7f00:1]:${port}/`,
  `http://[64:ff9b::7f00:1]:${port}/`,
  `http://[fe80::1%25lo]:${port}/`,
  `https://127.0.0.1:${port}/`,
  `https://localhost:${port}/`,
  `https://public.test:${port}/`,
  'https://127.0.0.1/',
  'https://127.1/',
  'https://0/',
  'https://0x7f.1/',
  'https://2130706433/',
  'https://１２７.０.０.１/',
  'https://[::1]/',
  'https://[::]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:7f00:1]/',
  'https://[::ffff:a9fe:a9fe]/',
  'https://[::127.0.0.1]/',
  'https://[64:ff9b::127.0.0.1]/',
  'https://[64:ff9b:1::7f00:1]/',
  'https://[2002:7f00:1::]/',
  'https://[2001:0:7f00:1::]/',
  'https://[2606:4700::5efe:7f00:1]/',
  'https://[fc00::1]/',
  'https://[fd12:3456::1]/',
  'https://[fe80::1]/',
  'https://[fec0::1]/',
  'https://[ff02::1]/',
  'https://[2001:db8::1]/',
  'https://10.0.0.1/',
  'https://100.64.0.1/',
  'https://169.254.169.254/latest/meta-data/',
  'https://172.16.0.1/',
  'https://192.0.0.1/',
  'https://192.0.2.1/',
  'https://192.168.1.1/',
  'https://198.18.0.1/',
  'https://224.0.0.1/',
  'https://255.255.255.255/',
  'https://localhost/',
  'https://a.localhost/',
  'https://localhost./',
  'https://printer.local/',
  'https://metadata.google.internal/',
  'https://intranet/',
  'https://public.test./',
  'https://public.test:22/',
  'https://public.test:0/',
  'https://public.test:65536/',
  'https://public.test:8443/',
  'https://user@public.test/',
  'https://:@public.test/',
  'http://public.test/',
  'https://public.test/\r\nHost: 127.0.0.1',
  'https://public.test/%00\u0000',
  'https://public.test\u0000.evil.test/',
  'https://public.test\\@127.0.0.1/',
  'https:\\\\127.0.0.1/',
  'https:public.test',
  'https://',
  'https:///127.0.0.1/',
  'https://pub lic.test/',
  'https://public..test/',
  'https://-public.test/',
  'https://xn--/',
  `https://public.test/${'a'.repeat(100_000)}`,
  `https://${'a.'.repeat(5_000)}test/`,
  '//127.0.0.1/',
  '/etc/passwd',
  '127.0.0.1',
  '',
  'file:///etc/hostname',
  'file://localhost/etc/hostname',
  'FILE:///etc/hostname',
  'data:text/plain,secret',
  'ftp://127.0.0.1/',
  'gopher://127.0.0.1:70/_',
  'unix:///var/run/docker.sock',
  'http+unix://%2Fvar%2Frun%2Fdocker.sock/',
  's3://bucket/key',
  'blob:http://127.0.0.1/0f0e0d0c',
  'javascript:fetch("http://127.0.0.1")',
  'ws://127.0.0.1/',
  'wss://127.0.0.1/',
  'ldap://127.0.0.1/',
  'dict://127.0.0.1:11211/',
  'view-source:https://127.0.0.1/',
  'about:blank',
]

/** Names that look public, and what a hostile DNS says of them. */
const BAD_NAMES: Record<string, string[]> = {
  '127.0.0.1.nip.test': ['127.0.0.1'],
  '10-0-0-1.nip.test': ['10.0.0.1'],
  'metadata.nip.test': ['169.254.169.254'],
  'nat.nip.test': ['100.64.0.1'],
  'zero.nip.test': ['0.0.0.0'],
  'lan.nip.test': ['192.168.0.1'],
  'six.nip.test': ['::1'],
  'any.nip.test': ['::'],
  'mapped.nip.test': ['::ffff:127.0.0.1'],
  'mapped-hex.nip.test': ['::ffff:7f00:1'],
  'compatible.nip.test': ['::7f00:1'],
  'nat64.nip.test': ['64:ff9b::7f00:1'],
  'local-nat64.nip.test': ['64:ff9b:1::7f00:1'],
  '6to4.nip.test': ['2002:7f00:1::'],
  'teredo.nip.test': ['2001:0:7f00:1::'],
  'zone.nip.test': ['fe80::1%lo'],
  'ula.nip.test': ['fd00::1'],
  'octal.nip.test': ['0177.0.0.1'],
  'short.nip.test': ['127.1'],
  'number.nip.test': ['2130706433'],
  'name.nip.test': ['localhost'],
  'empty-text.nip.test': [''],
  'mixed-last.nip.test': ['93.184.216.34', '127.0.0.1'],
  'mixed-first.nip.test': ['127.0.0.1', '93.184.216.34'],
  'mixed-six.nip.test': ['93.184.216.34', '2606:4700::1111', '::1'],
}

/** A resolver that knows the names above; of every other name it says loopback, so a miss would be a hit. */
function hostileResolver() {
  const asked: string[] = []
  const resolve = async (host: string) => {
    asked.push(host)
    return BAD_NAMES[host] ?? ['127.0.0.1']
  }
  return { asked, resolve }
}

describe('what must not be reached is not reached', () => {
  test('no spelling of a private place gets a byte to it', async () => {
    const target = await canary()
    const { asked, resolve } = hostileResolver()
    const guarded = createSafeFetch({ allowPrivate: [], resolve })
    const urls = [
      ...reachesLoopback(target.port),
      ...otherwiseBad(target.port),
      ...Object.keys(BAD_NAMES).map(name => `https://${name}/`),
    ]
    expect(new Set(urls).size).toBe(urls.length)
    expect(urls.length).toBeGreaterThanOrEqual(150)

    const notBlocked: unknown[] = []
    for (const url of urls) {
      const error = await thrownBy(guarded(url, { method: 'POST', body: 'x', timeoutMs: 1_000 }))
      if (!(error instanceof BlockedDestination) || /nip|public\.test|127/.test(error.message)) {
        notBlocked.push([url, error])
      }
    }
    expect(notBlocked).toEqual([])
    expect([target.connections, target.requests]).toEqual([0, []])
    expect(asked).toEqual(Object.keys(BAD_NAMES))
  })

  test('control: a plain fetch reaches the canary by every spelling of the first table', async () => {
    const target = await canary()
    const missed: string[] = []
    for (const url of reachesLoopback(target.port)) {
      const before = target.requests.length
      await thrownBy(fetch(url).then(response => response.text()))
      if (target.requests.length === before) missed.push(url)
    }
    expect(missed).toEqual([])
  })

  test('control: the same client reaches the canary once its host is listed, and only there', async () => {
    const target = await canary()
    const other = await canary()
    const { resolve } = hostileResolver()
    const listed = createSafeFetch({ allowPrivate: [`127.0.0.1:${target.port}`], resolve })

    expect(await (await listed(local(target))).text()).toBe('canary')
    for (const url of [
      local(other),
      `http://localhost:${target.port}/`,
      `http://public.test:${target.port}/`,
      `http://user@127.0.0.1:${target.port}/`,
      'https://public.test/',
    ]) {
      expect(await thrownBy(listed(url))).toBeInstanceOf(BlockedDestination)
    }
    expect([target.requests.length, other.connections]).toEqual([1, 0])
  })

  test('the check at intake refuses by text what the client refuses by text', () => {
    const urls = [...reachesLoopback(8_080), ...otherwiseBad(8_080)]
    expect(urls.filter(url => checkDestination(url, []) === null)).toEqual([])
  })

  test('a redirect is an answer, not a way', async () => {
    const target = await canary()
    const redirecting = await peerThat(socket =>
      socket.write(answer('', [`location: ${local(target)}`], '302 Found')),
    )
    const response = await open(local(redirecting))
    expect([response.status, response.headers.get('location')]).toEqual([302, local(target)])
    expect([redirecting.requests.length, target.connections]).toEqual([1, 0])
  })
})

describe('the address that was checked is the one that is dialled', () => {
  test('a name is asked once, and the Host header stays the name', async () => {
    const target = await canary()
    const answers = [['127.0.0.1'], ['10.0.0.1']]
    const asked: string[] = []
    const pinned = createSafeFetch({
      // No system resolver knows this name, so reaching it proves whose answer was dialled.
      allowPrivate: [`rebinding.test:${target.port}`],
      resolve: async host => {
        asked.push(host)
        return answers.shift() ?? []
      },
    })
    const url = `http://rebinding.test:${target.port}/path?query=1#fragment`
    expect(await (await pinned(url)).text()).toBe('canary')
    expect(asked).toEqual(['rebinding.test'])
    const [request = ''] = target.requests
    expect(request).toStartWith('GET /path?query=1 HTTP/1.1\r\n')
    expect(request).toContain(`\r\nhost: rebinding.test:${target.port}\r\n`)
  })

  test('the resolver of the process knows the names of this machine', async () => {
    const target = await canary()
    const listed = createSafeFetch({ allowPrivate: ['localhost'] })
    expect(await (await listed(`http://localhost:${target.port}/`)).text()).toBe('canary')
  })

  test('a name that turns private between two calls is refused at the second', async () => {
    const answers = [['127.0.0.1'], ['10.0.0.1'], ['127.0.0.1', '10.0.0.1']]
    const pinned = createSafeFetch({
      allowPrivate: ['127.0.0.1/32'],
      resolve: async () => answers.shift() ?? [],
    })
    const call = () => thrownBy(pinned('https://rebinding.test/', { timeoutMs: 1_000 }))
    // Dialled: nobody on port 443 of loopback has a certificate for that name.
    expect(await call()).toBeInstanceOf(FetchFailure)
    expect(await call()).toBeInstanceOf(BlockedDestination)
    expect(await call()).toBeInstanceOf(BlockedDestination)
    expect(await call()).toMatchObject({ code: 'dns_failed', mayHaveBeenSent: false })
  })

  test('an answer that would have to be resolved again is refused, even for a listed host', async () => {
    const target = await canary()
    for (const found of ['localhost', '127.1', '127.0.0.1.nip.test', 'fe80::1%lo', '']) {
      const pinned = createSafeFetch({ allowPrivate: ['a.test'], resolve: async () => [found] })
      const call = pinned(`http://a.test:${target.port}/`)
      expect(await thrownBy(call)).toBeInstanceOf(BlockedDestination)
    }
    expect(target.connections).toBe(0)
  })

  test('goes on to the next address while nothing was sent, four at most', async () => {
    let connections = 0
    const server = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        open(socket) {
          connections += 1
          socket.end()
        },
        data() {},
      },
    })
    const pinned = createSafeFetch({
      allowPrivate: ['many.test'],
      resolve: async () => Array.from({ length: 50 }, () => '127.0.0.1'),
    })
    expect(await failureOf(pinned(`https://many.test:${server.port}/`))).toEqual({
      code: 'tls_failed',
      mayHaveBeenSent: false,
    })
    server.stop(true)
    expect(connections).toBe(4)
  })

  test('never goes on once the request may have arrived', async () => {
    const resetting = await peerThat(socket => socket.resetAndDestroy())
    const pinned = createSafeFetch({
      allowPrivate: ['two.test'],
      resolve: async () => ['127.0.0.1', '127.0.0.1'],
    })
    const call = pinned(`http://two.test:${resetting.port}/`, { method: 'POST', body: 'x' })
    expect(await failureOf(call)).toEqual({ code: 'connection_failed', mayHaveBeenSent: true })
    expect(resetting.requests).toHaveLength(1)
  })
})

describe('TLS goes by the name', () => {
  const before = getCACertificates('default')
  beforeAll(() => setDefaultCACertificates([...before, SELF_SIGNED.cert]))
  afterAll(() => setDefaultCACertificates(before))

  const tlsPeer = () => peerThat(socket => socket.write(answer('secret')), SELF_SIGNED)
  const client = () =>
    createSafeFetch({
      allowPrivate: ['pinned.test', 'second.test', 'other.test', '127.0.0.1'],
      resolve: async () => ['127.0.0.1'],
    })

  test('a certificate for the name is taken, and for an address too where the URL names one', async () => {
    const peer = await tlsPeer()
    for (const host of ['pinned.test', 'second.test', '127.0.0.1']) {
      const response = await client()(`https://${host}:${peer.port}/`)
      expect(await response.text()).toBe('secret')
    }
    expect(peer.requests[0]).toContain(`\r\nhost: pinned.test:${peer.port}\r\n`)
  })

  test('a certificate for another name fails before a byte of the request is sent', async () => {
    const peer = await tlsPeer()
    const call = client()(`https://other.test:${peer.port}/`, {
      method: 'POST',
      headers: { authorization: 'key' },
      body: 'x',
    })
    expect(await failureOf(call)).toEqual({ code: 'tls_failed', mayHaveBeenSent: false })
    expect(peer.requests).toEqual([])
  })

  test('a certificate nobody vouches for fails before a byte of the request is sent', async () => {
    setDefaultCACertificates(before)
    const peer = await tlsPeer()
    const failure = await failureOf(client()(`https://pinned.test:${peer.port}/`))
    setDefaultCACertificates([...before, SELF_SIGNED.cert])
    expect(failure).toEqual({ code: 'tls_failed', mayHaveBeenSent: false })
    expect(peer.requests).toEqual([])
  })

  test('a connection is used again for its own name only', async () => {
    const peer = await tlsPeer()
    const guarded = client()
    for (const host of ['pinned.test', 'pinned.test', 'second.test', 'pinned.test']) {
      await (await guarded(`https://${host}:${peer.port}/`)).text()
    }
    expect([peer.connections, peer.requests.length]).toEqual([2, 4])
  })
})

describe('bytes', () => {
  test('exactly the cap passes, one more does not, with or without a length', async () => {
    const body = 'x'.repeat(100_000)
    const sized = await peerThat(socket => socket.write(answer(body)))
    const unsized = await peerThat(socket => socket.end(`HTTP/1.1 200 OK\r\n\r\n${body}`))
    for (const peer of [sized, unsized]) {
      expect((await read(local(peer), { maxBytes: 100_000 })).length).toBe(100_000)
      expect(await failureOf(read(local(peer), { maxBytes: 99_999 }))).toEqual({
        code: 'too_large',
        mayHaveBeenSent: true,
      })
    }
  })

  test('an endless body ends at the cap, and its connection with it', async () => {
    const endless = await peerThat(socket => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      pour(socket, Buffer.alloc(65_536))
    })
    const { code } = await failureOf(read(local(endless), { maxBytes: 1_000_000 }))
    expect(code).toBe('too_large')
    await endless.closed
  })

  test('a compressed body is unpacked, and no longer said to be compressed', async () => {
    const packed = gzipSync('hello '.repeat(1_000))
    const peer = await peerThat(socket => socket.write(answer(packed, ['content-encoding: gzip'])))
    const response = await open(local(peer))
    expect(response.headers.get('content-encoding')).toBeNull()
    expect(response.headers.get('content-length')).toBeNull()
    expect(await response.text()).toBe('hello '.repeat(1_000))
  })

  test('a gzip bomb meets the cap on what it unpacks to', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024))
    expect(bomb.byteLength).toBeLessThan(100_000)
    const peer = await peerThat(socket => socket.write(answer(bomb, ['content-encoding: gzip'])))
    const response = await open(local(peer), { maxBytes: 1_000_000 })
    let taken = 0
    const reading = (async () => {
      for await (const piece of response.body ?? []) taken += piece.byteLength
    })()
    expect(await failureOf(reading)).toEqual({ code: 'too_large', mayHaveBeenSent: true })
    expect(taken).toBeLessThanOrEqual(1_000_000)
  })

  test('endless compressed nothing meets the cap on what was received', async () => {
    const emptyBlocks = Buffer.alloc(65_535, Buffer.from([0, 0, 0, 0xff, 0xff]))
    const peer = await peerThat(socket => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n')
      socket.write(gzipSync('').subarray(0, 10))
      pour(socket, emptyBlocks)
    })
    const { code } = await failureOf(read(local(peer), { maxBytes: 1_000_000 }))
    expect(code).toBe('too_large')
    await peer.closed
  })

  test('layers of compression are handed on as they came', async () => {
    const body = gzipSync(gzipSync('hello'))
    const peer = await peerThat(socket =>
      socket.write(answer(body, ['content-encoding: gzip, gzip'])),
    )
    const response = await open(local(peer))
    expect(response.headers.get('content-encoding')).toBe('gzip, gzip')
    expect(Buffer.from(await response.bytes())).toEqual(body)
  })

  test.each<[string, string]>([
    ['truncated', 'gzip'],
    ['not gzip at all', 'gzip'],
    ['not brotli at all', 'br'],
    ['not zstd at all', 'zstd'],
  ])('a compressed body that is %s fails', async (what, encoding) => {
    const body = what === 'truncated' ? gzipSync('hello').subarray(0, 12) : 'plain text, not packed'
    const peer = await peerThat(socket =>
      socket.write(answer(body, [`content-encoding: ${encoding}`])),
    )
    expect(await failureOf(read(local(peer)))).toEqual({
      code: 'connection_failed',
      mayHaveBeenSent: true,
    })
  })
})

/** Writes the piece again and again, as fast as the reader takes it. */
function pour(socket: Socket, piece: Buffer): void {
  while (!socket.destroyed && socket.write(piece));
  if (!socket.destroyed) socket.once('drain', () => pour(socket, piece))
}

describe('time', () => {
  const timeoutMs = 100
  const never = new Promise<never>(() => {})

  test('covers the question to DNS', async () => {
    const asking = createSafeFetch({ allowPrivate: [], resolve: () => never })
    expect(await failureOf(asking('https://slow.test/', { timeoutMs }))).toEqual({
      code: 'timeout',
      mayHaveBeenSent: false,
    })
  })

  test('covers the TLS handshake, and nothing was sent by then', async () => {
    const mute = await peerThat(() => {})
    expect(await failureOf(open(`https://127.0.0.1:${mute.port}/`, { timeoutMs }))).toEqual({
      code: 'timeout',
      mayHaveBeenSent: false,
    })
    expect([mute.connections, mute.requests]).toEqual([1, []])
    await mute.closed
  })

  test('covers the wait for the headers', async () => {
    const mute = await peerThat(() => {})
    expect(await failureOf(open(local(mute), { timeoutMs, method: 'POST' }))).toEqual({
      code: 'timeout',
      mayHaveBeenSent: true,
    })
    expect(mute.requests).toHaveLength(1)
    await mute.closed
  })

  test('covers headers that never end', async () => {
    const dripping = await peerThat(socket => {
      socket.write('HTTP/1.1 200 OK\r\n')
      drip(socket, 'a: b\r\n')
    })
    const { code } = await failureOf(open(local(dripping), { timeoutMs }))
    expect(code).toBe('timeout')
  })

  test('covers the body, however steadily it drips', async () => {
    const dripping = await peerThat(socket => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n')
      drip(socket, 'x')
    })
    const response = await open(local(dripping), { timeoutMs })
    expect(response.status).toBe(200)
    expect(await failureOf(response.text())).toEqual({ code: 'timeout', mayHaveBeenSent: true })
    await dripping.closed
  })

  test('closes a connection whose body nobody reads', async () => {
    const endless = await peerThat(socket => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      pour(socket, Buffer.alloc(65_536))
    })
    const response = await open(local(endless), { timeoutMs })
    expect(response.status).toBe(200)
    await endless.closed
  })

  test('cancelling the body closes the connection at once, whatever the peer does', async () => {
    const endless: Script = socket => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      pour(socket, Buffer.alloc(65_536))
    }
    const silent: Script = socket => socket.write('HTTP/1.1 200 OK\r\n\r\nbegin')
    const packed: Script = socket =>
      socket.write(answer(gzipSync('').subarray(0, 10), ['content-encoding: gzip']).subarray(0, -1))
    for (const script of [endless, silent, packed]) {
      const peer = await peerThat(script)
      const response = await open(local(peer))
      await response.body?.cancel()
      await peer.closed
    }
  })

  test('does not keep a process alive that has nothing else to do', async () => {
    const peer = await canary()
    const source = new URL('../../src/base/safe-fetch.ts', import.meta.url).pathname
    const program = `
      import { createSafeFetch } from ${JSON.stringify(source)}
      const guarded = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
      await guarded(${JSON.stringify(local(peer))}, { method: 'HEAD' })
      console.log(await (await guarded(${JSON.stringify(local(peer))})).text())`
    const child = Bun.spawn([process.execPath, '-e', program], { stdout: 'pipe' })
    expect(await child.exited).toBe(0)
    expect(await new Response(child.stdout).text()).toBe('canary\n')
  })
})

/** A byte or a line every few milliseconds, for as long as the socket is open. */
function drip(socket: Socket, text: string): void {
  if (socket.destroyed) return
  socket.write(text)
  setTimeout(() => drip(socket, text), 5)
}

describe('abort', () => {
  const aborted = (mayHaveBeenSent: boolean) => ({ code: 'aborted' as const, mayHaveBeenSent })

  test('before the start: nobody is asked and nobody is called', async () => {
    const { asked, resolve } = hostileResolver()
    const guarded = createSafeFetch({ allowPrivate: ['listed.test'], resolve })
    const call = guarded('https://listed.test/', { signal: AbortSignal.abort() })
    expect(await failureOf(call)).toEqual(aborted(false))
    expect(asked).toEqual([])
  })

  test('while DNS is asked', async () => {
    const controller = new AbortController()
    const guarded = createSafeFetch({
      allowPrivate: [],
      resolve: () => {
        controller.abort()
        return new Promise(() => {})
      },
    })
    const call = guarded('https://slow.test/', { signal: controller.signal })
    expect(await failureOf(call)).toEqual(aborted(false))
  })

  test('during the TLS handshake', async () => {
    const controller = new AbortController()
    const server = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: { data: () => controller.abort() },
    })
    const call = open(`https://127.0.0.1:${server.port}/`, { signal: controller.signal })
    expect(await failureOf(call)).toEqual(aborted(false))
    server.stop(true)
  })

  test('while the answer is awaited', async () => {
    const controller = new AbortController()
    const peer = await peerThat(() => controller.abort())
    expect(await failureOf(open(local(peer), { signal: controller.signal }))).toEqual(aborted(true))
    await peer.closed
  })

  test('while the body is read', async () => {
    const controller = new AbortController()
    const peer = await peerThat(socket => socket.write('HTTP/1.1 200 OK\r\n\r\nbegin'))
    const response = await open(local(peer), { signal: controller.signal })
    const reader = response.body?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('begin')
    controller.abort()
    expect(await failureOf(Promise.resolve(reader?.read()))).toEqual(aborted(true))
    await peer.closed
  })

  test('after the end it does nothing, and leaves no listener on the signal', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const add = spyOn(signal, 'addEventListener')
    const remove = spyOn(signal, 'removeEventListener')
    const peer = await canary()
    expect(await read(local(peer), { signal })).toBe('canary')
    await thrownBy(open(`http://127.0.0.1:${await closedPort()}/`, { signal }))
    expect(add.mock.calls.length).toBe(2)
    expect(new Set(remove.mock.calls.map(call => call[1]))).toEqual(
      new Set(add.mock.calls.map(call => call[1])),
    )
    controller.abort()
    expect(await read(local(peer))).toBe('canary')
    expect(peer.connections).toBe(1)
  })
})

describe('whether the request may have been sent', () => {
  const unsent = (code: FetchFailureCode) => ({ code, mayHaveBeenSent: false })
  const sent = (code: FetchFailureCode) => ({ code, mayHaveBeenSent: true })

  test('no: the name does not resolve', async () => {
    const failing = createSafeFetch({
      allowPrivate: [],
      resolve: () => Promise.reject(new Error('no such name')),
    })
    expect(await failureOf(failing('https://missing.test/'))).toEqual(unsent('dns_failed'))
    const empty = createSafeFetch({ allowPrivate: [], resolve: async () => [] })
    expect(await failureOf(empty('https://missing.test/'))).toEqual(unsent('dns_failed'))
  })

  test('no: nobody listens', async () => {
    const port = await closedPort()
    const call = open(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'x' })
    expect(await failureOf(call)).toEqual(unsent('connection_refused'))
  })

  test('no: the peer does not speak TLS', async () => {
    const plain = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response() })
    expect(await failureOf(open(`https://127.0.0.1:${plain.port}/`))).toEqual(unsent('tls_failed'))
    await plain.stop(true)
  })

  test.each<[string, SafeFetchInit]>([
    ['a line break in a header', { headers: { authorization: 'key\r\nx: y' } }],
    ['a line break in the name of a header', { headers: { 'a\r\nb': 'c' } }],
    ['a character that no header can carry', { headers: { authorization: 'ключ' } }],
    ['the method CONNECT', { method: 'CONNECT' }],
    ['a method with a line break', { method: 'GET / HTTP/1.1\r\nx:' }],
  ])('no: the request cannot be made, for %s', async (_, init) => {
    const peer = await canary()
    expect(await failureOf(open(local(peer), init))).toEqual(unsent('connection_failed'))
    expect(peer.connections).toBe(0)
  })

  test.each<[string, Script]>([
    ['the connection is reset before an answer', socket => socket.resetAndDestroy()],
    ['the connection is closed before an answer', socket => socket.end()],
    ['the answer is not HTTP', socket => socket.write('SSH-2.0-OpenSSH_9.2\r\n')],
    [
      'the headers are endless',
      socket => {
        socket.write('HTTP/1.1 200 OK\r\n')
        pour(socket, Buffer.from('a: b\r\n'.repeat(1_000)))
      },
    ],
    [
      'the peer switches protocols without saying to which',
      socket => socket.write('HTTP/1.1 101 Odd\r\n\r\nhello'),
    ],
    ['the status is none', socket => socket.write(answer('', [], '999 Odd'))],
    [
      'the peer switches protocols',
      socket =>
        socket.write('HTTP/1.1 101 Odd\r\nupgrade: odd\r\nconnection: upgrade\r\n\r\nhello'),
    ],
  ])('yes: %s', async (_, script) => {
    const peer = await peerThat((socket, request) => {
      if (request === 1) socket.write('HTTP/1.1 103 Early Hints\r\n\r\n')
      script(socket, request)
    })
    const call = open(local(peer), { method: 'POST', body: 'x' })
    expect(await failureOf(call)).toEqual(sent('connection_failed'))
    expect(peer.requests).toHaveLength(1)
  })

  test.each<[string, Script]>([
    ['reset', socket => socket.write(HALF, () => socket.resetAndDestroy())],
    ['closed', socket => socket.end(HALF)],
  ])('yes: the connection is %s in the middle of the body', async (_, script) => {
    const peer = await peerThat(script)
    expect(await failureOf(read(local(peer), { method: 'POST' }))).toEqual(
      sent('connection_failed'),
    )
  })

  const HALF = 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'
})

describe('connections', () => {
  test('are used again', async () => {
    const peer = await canary()
    const guarded = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
    for (let i = 0; i < 5; i += 1) await (await guarded(local(peer))).text()
    expect([peer.requests.length, peer.connections]).toEqual([5, 1])
  })

  test('are preferred where a name has several addresses', async () => {
    const peer = await canary()
    // On loopback 0.0.0.0 is a second address of the same peer.
    const answers = [['127.0.0.1'], ['0.0.0.0', '127.0.0.1']]
    const guarded = createSafeFetch({
      allowPrivate: ['two.test'],
      resolve: async () => answers.shift() ?? [],
    })
    for (let i = 0; i < 2; i += 1) {
      await (await guarded(`http://two.test:${peer.port}/`)).text()
    }
    expect([peer.requests.length, peer.connections]).toEqual([2, 1])
  })

  test.each(['POST', 'PUT', 'GET'])(
    'a %s that meets a closing one is not repeated',
    async method => {
      const peer = await peerThat((socket, request) => {
        if (request === 1) socket.write(answer('first'))
        else socket.end()
      })
      const guarded = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
      const call = async () => (await guarded(local(peer), { method })).text()
      expect(await call()).toBe('first')
      expect(await failureOf(call())).toEqual({ code: 'connection_failed', mayHaveBeenSent: true })
      expect([peer.requests.length, peer.connections]).toEqual([2, 1])
    },
  )

  test('a second answer that nobody asked for is never taken for the next one', async () => {
    const peer = await peerThat(socket =>
      socket.write(Buffer.concat([answer('mine'), answer('planted')])),
    )
    const guarded = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
    for (let i = 0; i < 3; i += 1) {
      const text = guarded(local(peer)).then(response => response.text())
      expect(await text.catch(() => 'mine')).toBe('mine')
    }
  })
})

describe('what is sent', () => {
  test('method, headers and body as given, the framing as we say', async () => {
    const peer = await canary()
    await read(local(peer), {
      method: 'post',
      headers: {
        Authorization: 'Key abc\n',
        'Content-Type': 'application/json',
        Host: 'evil.test',
        'Transfer-Encoding': 'chunked',
        'Content-Length': '5',
        Connection: 'upgrade',
        Expect: '100-continue',
      },
      body: '{"é":1}',
    })
    const [request = ''] = peer.requests
    const [head = '', body = ''] = request.split('\r\n\r\n')
    expect(
      head
        .split('\r\n')
        .map(line => line.toLowerCase())
        .sort(),
    ).toEqual(
      [
        'post / http/1.1',
        'accept: */*',
        'accept-encoding: identity',
        'authorization: key abc',
        'connection: keep-alive',
        'content-length: 8',
        'content-type: application/json',
        `host: 127.0.0.1:${peer.port}`,
        'user-agent: ai-backend-hub',
      ].sort(),
    )
    expect(Buffer.from(body, 'latin1').toString()).toBe('{"é":1}')
  })

  test('bytes, forms and nothing', async () => {
    const peer = await canary()
    const form = new FormData()
    form.set('field', 'value')
    form.set('file', new Blob(['bytes'], { type: 'image/png' }), 'a.png')
    await read(local(peer), { method: 'PUT', body: Uint8Array.of(0, 255, 10) })
    await read(local(peer), { method: 'POST', body: form, headers: { 'content-type': 'x/y' } })
    await read(local(peer), { method: 'POST' })
    const [bytes = '', multipart = '', empty = ''] = peer.requests
    expect(bytes).toEndWith('\r\n\r\n\u0000ÿ\n')
    const boundary = /content-type: multipart\/form-data; boundary="?([^"\r]+)/.exec(multipart)?.[1]
    expect(multipart).toEndWith(`--${boundary}--\r\n`)
    expect(multipart).toContain('name="file"; filename="a.png"')
    expect(empty).toContain('\r\ncontent-length: 0\r\n')
  })

  test('answers without a body, and every header of an answer, arrive', async () => {
    const peer = await peerThat((socket, request) =>
      socket.write(
        request === 1
          ? 'HTTP/1.1 204 No Content\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nx-a: b\r\n\r\n'
          : 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n',
      ),
    )
    const none = await open(local(peer))
    expect([none.status, none.body, none.headers.get('x-a')]).toEqual([204, null, 'b'])
    expect(none.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    const head = await open(local(peer), { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([
      200,
      '10',
      '',
    ])
  })
})

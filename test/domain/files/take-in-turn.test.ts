import { afterEach, describe, expect, test } from 'bun:test'
import { picture } from '@test/support/fake-provider'
import type { FileId } from '@/base/ids'
import type { SafeFetchInit } from '@/base/safe-fetch'
import { take, Unreachable, Unusable } from '@/domain/files'
import type { Storage } from '@/storage/spec'

const MB = 1024 * 1024
const AT_ONCE = 16

/** Everything that can follow by promises and streams alone has followed. */
async function settled() {
  for (let turns = 0; turns < 20; turns++) await new Promise<void>(done => setImmediate(done))
}

/** A vendor and a disk that answer when they are told to, and count what is open. */
function world() {
  const asked: string[] = []
  const stored: string[] = []
  const held = new Map<string, () => void>()
  let isOpen = false
  const hold = (name: string, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      if (isOpen) return resolve()
      held.set(name, resolve)
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  const world = {
    asked,
    stored,
    /** What the answers announce, by address. */
    lengths: new Map<string, number>(),
    bodiesRead: [] as string[],
    cancelled: [] as string[],
    /** What waits: `head URL`, `body URL`, `put`. */
    holds: new Set<'head' | 'body' | 'put'>(),
    release(name: string) {
      held.get(name)?.()
      held.delete(name)
    },
    open() {
      isOpen = true
      for (const name of [...held.keys()]) world.release(name)
    },
    async fetch(url: string, init: SafeFetchInit = {}) {
      asked.push(url)
      if (world.holds.has('head')) await hold(`head ${url}`, init.signal)
      const length = world.lengths.get(url)
      const headers = length === undefined ? {} : { 'content-length': String(length) }
      const body = new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            world.bodiesRead.push(url)
            if (world.holds.has('body')) await hold(`body ${url}`, init.signal)
            controller.enqueue(picture())
            controller.close()
          },
          cancel: () => void world.cancelled.push(url),
        },
        { highWaterMark: 0 },
      )
      return new Response(body, { headers })
    },
    storage: {
      async put(key: string) {
        stored.push(key)
        if (world.holds.has('put')) await hold(`put ${stored.length}`)
      },
    } as unknown as Storage,
  }
  return world
}

const opened: { open: () => void; takes: Promise<unknown>[] }[] = []

/** Whatever a test left hanging is let go, so that the next one finds the lines empty. */
afterEach(async () => {
  for (const each of opened) each.open()
  await Promise.allSettled(opened.flatMap(each => each.takes))
  opened.length = 0
})

function scene() {
  const on = world()
  const takes: Promise<unknown>[] = []
  opened.push({ open: on.open, takes })
  const signal = new AbortController().signal
  const started = (one: Promise<unknown>) => {
    one.catch(() => {})
    takes.push(one)
    return one
  }
  const fromUrl = (url: string, until = signal) =>
    started(take(on, { type: 'file', url, contentType: null }, takes.length as FileId, until))
  const inHand = (bytes: Uint8Array = picture(), until = signal) =>
    started(take(on, { type: 'file', bytes, contentType: null }, takes.length as FileId, until))
  return { on, takes, fromUrl, inHand }
}

const urls = (count: number) =>
  Array.from({ length: count }, (_, index) => `https://vendor.example.com/${index}`)

describe('of two hundred outputs that are ready at once', () => {
  test('sixteen are fetched at a time, in the order in which they came', async () => {
    const { on, takes, fromUrl } = scene()
    on.holds.add('head')
    const all = urls(200)
    for (const url of all) fromUrl(url)
    await settled()
    expect(on.asked).toEqual(all.slice(0, AT_ONCE))
    on.open()
    await Promise.all(takes)
    expect(on.asked).toEqual(all)
  })

  test('a place is free when the blob is stored, and not before', async () => {
    const { on, takes, fromUrl } = scene()
    on.holds.add('put')
    const all = urls(40)
    for (const url of all) {
      on.lengths.set(url, picture().length)
      fromUrl(url)
    }
    await settled()
    expect([on.asked.length, on.stored.length]).toEqual([AT_ONCE, AT_ONCE])
    on.release('put 3')
    await settled()
    expect([on.asked.length, on.stored.length]).toEqual([AT_ONCE + 1, AT_ONCE + 1])
    on.open()
    await Promise.all(takes)
    expect(new Set(on.stored).size).toBe(40)
  })

  test('sixteen are stored at a time when the bytes are in hand', async () => {
    const { on, takes, inHand } = scene()
    on.holds.add('put')
    for (let count = 0; count < 40; count++) inHand()
    await settled()
    expect(on.stored).toHaveLength(AT_ONCE)
    on.open()
    await Promise.all(takes)
    expect(on.stored).toHaveLength(40)
  })

  test('bytes in hand do not wait behind downloads that hang', async () => {
    const { on, fromUrl, inHand } = scene()
    on.holds.add('head')
    for (const url of urls(40)) fromUrl(url)
    await settled()
    expect(await inHand()).toMatchObject({ contentType: 'image/png' })
  })

  test('one that fails makes way for the next', async () => {
    const { on, takes, fromUrl, inHand } = scene()
    on.storage.put = () => Promise.reject(new Error('no space left on the device'))
    for (const url of urls(40)) fromUrl(url)
    for (let count = 0; count < 40; count++) inHand(Buffer.from('no picture'))
    const results = await Promise.allSettled(takes)
    expect(results.every(({ status }) => status === 'rejected')).toBe(true)
    expect(on.asked).toHaveLength(40)
  })
})

test('what hangs in one hub holds up nobody in another', async () => {
  const [gone, alive] = [scene(), scene()]
  gone.on.holds.add('head').add('put')
  for (const url of urls(AT_ONCE)) gone.fromUrl(url)
  for (let count = 0; count < AT_ONCE; count++) gone.inHand()
  await settled()
  expect([gone.on.asked.length, gone.on.stored.length]).toEqual([AT_ONCE, AT_ONCE])
  await alive.fromUrl('https://vendor.example.com/output')
  await alive.inHand()
  expect(alive.on.stored).toHaveLength(2)
})

describe('memory for bodies', () => {
  const opensWith = async (lengths: (number | undefined)[]) => {
    const { on, takes, fromUrl } = scene()
    on.holds.add('body')
    const all = urls(lengths.length)
    for (const [index, url] of all.entries()) {
      const length = lengths[index]
      if (length !== undefined) on.lengths.set(url, length)
      fromUrl(url)
    }
    await settled()
    const atOnce = on.bodiesRead.length
    expect(on.bodiesRead).toEqual(all.slice(0, atOnce))
    on.open()
    await Promise.all(takes)
    expect(on.bodiesRead).toEqual(all)
    return { atOnce, asked: on.asked.length }
  }

  test.each([
    ['16 MB leave room for sixteen', 16 * MB, AT_ONCE],
    ['64 MB leave room for four', 64 * MB, 4],
    ['100 MB leave room for two', 100 * MB, 2],
    ['an unknown length is a usual one, or two slow ones would hold up all', undefined, 16],
  ])('%s', async (_, length, expected) => {
    expect((await opensWith(Array(20).fill(length))).atOnce).toBe(expected)
  })

  test('is given in order: what is small waits behind what is large', async () => {
    expect((await opensWith([100 * MB, 100 * MB, 100 * MB, 1, 1])).atOnce).toBe(2)
  })

  test('is not asked for by what is too large anyway, nor is its body read', async () => {
    const { on, fromUrl } = scene()
    const [small, large] = urls(2) as [string, string]
    on.lengths.set(small, 100 * MB)
    on.lengths.set(large, 100 * MB + 1)
    await fromUrl(small)
    expect(await fromUrl(large).catch(error => error)).toBeInstanceOf(Unusable)
    expect(on.cancelled).toEqual([large])
    expect(on.bodiesRead).toEqual([small])
  })
})

describe('who is called off', () => {
  test('in line for a download leaves it, and nothing is fetched for it', async () => {
    const { on, takes, fromUrl } = scene()
    on.holds.add('head')
    const all = urls(AT_ONCE + 2)
    const abort = new AbortController()
    for (const [index, url] of all.entries()) {
      fromUrl(url, index === AT_ONCE ? abort.signal : undefined)
    }
    await settled()
    abort.abort(new Error('the task took too long'))
    expect(await takes[AT_ONCE]?.catch(error => error)).toBeInstanceOf(Unreachable)
    on.open()
    await Promise.all(takes.filter((_, index) => index !== AT_ONCE))
    expect(on.asked).toEqual(all.filter((_, index) => index !== AT_ONCE))
  })

  test('while it waits for memory leaves its place to others', async () => {
    const { on, takes, fromUrl } = scene()
    on.holds.add('body')
    const all = urls(4)
    const abort = new AbortController()
    for (const [index, url] of all.entries()) {
      on.lengths.set(url, (index === 3 ? 1 : 100) * MB)
      fromUrl(url, index === 2 ? abort.signal : undefined)
    }
    await settled()
    expect(on.bodiesRead).toEqual(all.slice(0, 2))
    abort.abort()
    expect(await takes[2]?.catch(error => error)).toBeInstanceOf(Unreachable)
    await settled()
    expect(on.bodiesRead).toEqual([all[0], all[1], all[3]] as string[])
  })

  test('in mid-body makes way as well', async () => {
    const { on, takes, fromUrl } = scene()
    on.holds.add('body')
    const abort = new AbortController()
    for (const url of urls(2)) {
      on.lengths.set(url, 100 * MB)
      fromUrl(url, abort.signal)
    }
    const next = 'https://vendor.example.com/next'
    on.lengths.set(next, 100 * MB)
    fromUrl(next)
    await settled()
    expect(on.bodiesRead).toHaveLength(2)
    abort.abort()
    const errors = await Promise.all(takes.slice(0, 2).map(one => one.catch(error => error)))
    expect(errors.every(error => error instanceof Unreachable)).toBe(true)
    await settled()
    expect(on.bodiesRead).toHaveLength(3)
  })

  test('with bytes in hand leaves the line as well, and nothing is stored for it', async () => {
    const { on, takes, inHand } = scene()
    on.holds.add('put')
    const abort = new AbortController()
    for (let count = 0; count < AT_ONCE; count++) inHand()
    const late = inHand(picture(), abort.signal)
    await settled()
    abort.abort()
    expect(await late.catch(error => error)).toBeInstanceOf(Unreachable)
    on.open()
    await Promise.all(takes.slice(0, AT_ONCE))
    expect(on.stored).toHaveLength(AT_ONCE)
  })
})

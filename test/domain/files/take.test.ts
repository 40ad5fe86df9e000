import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { deflateSync } from 'node:zlib'
import {
  blobNames,
  closeStages,
  run,
  type Stage,
  stage,
  submit,
  viewOf,
} from '@test/domain/jobs/stage'
import { bytes, chunk, done, picture } from '@test/support/fake-provider'
import { fakeWeb, loopbackVendor } from '@test/support/fake-vendor'
import { type FileId, formatId } from '@/base/ids'
import { BlockedDestination, createSafeFetch, FetchFailure } from '@/base/safe-fetch'
import { sha256Hex } from '@/base/secrets'
import { describe as described, discardBlobs, take, Unreachable, Unusable } from '@/domain/files'
import { CLIP, clip } from '@/providers/sandbox/clip'

let on: Stage
const ID = 123_456 as FileId
const URL = 'https://vendor.example.com/output'

beforeEach(async () => {
  on = await stage({ hub: { isRunning: false } })
})
afterEach(closeStages)

const signal = () => new AbortController().signal

const takeBytes = (content: Uint8Array, claimed: string | null = null) =>
  take(on.deps, { type: 'file', bytes: content, contentType: claimed }, ID, signal())

const takeFrom = (url = URL) =>
  take(on.deps, { type: 'file', url, contentType: null }, ID, signal())

async function expectThrown<T extends Error>(
  answer: Promise<unknown>,
  kind: new (message?: string) => T,
): Promise<T> {
  const error: unknown = await answer.catch(thrown => thrown)
  expect(error).toBeInstanceOf(kind)
  expect(blobNames(on)).toEqual([])
  return error as T
}

/** A picture whose head promises so many pixels, and whose body holds next to none. */
function bomb(width: number, height: number): Uint8Array {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(1_000))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** The same as WebP: an extended header with a canvas of 16,384 by 16,384. */
function webpBomb(): Uint8Array {
  const body = Buffer.from('WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0', 'latin1')
  const size = Buffer.alloc(4)
  size.writeUInt32LE(body.length, 0)
  return Buffer.concat([Buffer.from('RIFF'), size, body])
}

/** What an MP4 begins with, and no more. */
const MP4_HEAD = clip().slice(0, 32)

describe('bytes', () => {
  test('are stored under the file’s id, measured and hashed', async () => {
    const content = picture(3)
    expect(await takeBytes(content)).toEqual({
      fileId: ID,
      contentType: 'image/png',
      bytes: content.length,
      width: 1,
      height: 1,
      durationMs: null,
      sha256: sha256Hex(content),
    })
    expect(blobNames(on)).toEqual([formatId('file', ID)])
    const blob = await on.deps.storage.get(formatId('file', ID))
    expect(await blob?.bytes()).toEqual(content)
  })

  test('are what they are and not what the vendor calls them', async () => {
    expect((await takeBytes(picture(), 'text/html')).contentType).toBe('image/png')
    expect((await takeBytes(clip(), 'image/png')).contentType).toBe('video/mp4')
  })

  test('of a film are stored with its size and how long it lasts', async () => {
    const { width, height, seconds } = CLIP
    const durationMs = seconds * 1000
    expect(await takeBytes(clip())).toMatchObject({ width, height, durationMs })
    const blob = await on.deps.storage.get(formatId('file', ID))
    expect(await blob?.bytes()).toEqual(new Uint8Array(clip()))
  })

  test('taken twice are one blob, and the second ones count', async () => {
    await takeBytes(picture(1))
    await takeBytes(picture(2))
    expect(blobNames(on)).toEqual([formatId('file', ID)])
    const blob = await on.deps.storage.get(formatId('file', ID))
    expect(await blob?.bytes()).toEqual(picture(2))
  })

  test.each([
    ['nothing', new Uint8Array()],
    ['a page of HTML', Buffer.from('<html></html>')],
    ['a PNG cut off behind its first bytes', picture().slice(0, 12)],
    ['a film that was cut off behind its first bytes', MP4_HEAD],
    ['a film that was cut off in its index', clip().slice(0, 1_000)],
    ['a JPEG that is only a beginning', Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16])],
    ['a picture of 60,000 by 60,000 pixels in a hundred bytes', bomb(60_000, 60_000)],
    ['a picture one row above the bound', bomb(8_000, 8_001)],
    ['a picture as wide as a number can say', bomb(2_147_483_647, 1)],
    ['a WebP of 16,384 by 16,384 pixels', webpBomb()],
  ])('%s is unusable, and nothing is stored', async (_, content) => {
    await expectThrown(takeBytes(content), Unusable)
  })

  test('of a picture right at the bound of pixels are taken', async () => {
    expect(await takeBytes(bomb(8_000, 8_000))).toMatchObject({ width: 8_000, height: 8_000 })
  })

  test('beyond 100 MB are unusable', async () => {
    const large = new Uint8Array(100 * 1024 * 1024 + 1)
    large.set(picture())
    await expectThrown(takeBytes(large), Unusable)
  })
})

describe('an address', () => {
  test('is fetched once, with bounds', async () => {
    on.web.serve(URL, picture(4))
    const taken = await takeFrom()
    expect(taken).toMatchObject({ contentType: 'image/png', sha256: sha256Hex(picture(4)) })
    const [call] = on.web.calls
    expect(on.web.calls.length).toBe(1)
    expect(call?.init).toMatchObject({ maxBytes: 100 * 1024 * 1024, timeoutMs: 60_000 })
    expect(call?.init.signal).toBeInstanceOf(AbortSignal)
  })

  test.each([301, 302, 403, 404, 410, 429, 500, 503])(
    'that answers %p may be there another time, and its answer is let go of',
    async status => {
      let wasLetGo = false
      const body = new ReadableStream({
        pull: controller => controller.enqueue(new Uint8Array(1)),
        cancel() {
          wasLetGo = true
        },
      })
      on.web.serve(URL, () => new Response(body, { status }))
      await expectThrown(takeFrom(), Unreachable)
      expect(wasLetGo).toBe(true)
    },
  )

  test('that breaks in the middle may be there another time', async () => {
    const body = () =>
      new ReadableStream({
        start(controller) {
          controller.enqueue(picture().slice(0, 20))
          controller.error(new FetchFailure('connection_failed', true))
        },
      })
    on.web.serve(URL, () => new Response(body()))
    await expectThrown(takeFrom(), Unreachable)
  })

  test.each([
    ['is too large', () => new FetchFailure('too_large', true)],
    ['is a private one', () => new BlockedDestination('private')],
  ])('that %s is unusable for good', async (_, failure) => {
    on.web.serve(URL, () => {
      throw failure()
    })
    await expectThrown(takeFrom(), Unusable)
  })

  test.each(['http://vendor.example.com/x', 'file:///etc/passwd', 'https://127.0.0.1/x', 'x'])(
    '%s is unusable and never called',
    async url => {
      on.deps.fetch = createSafeFetch({ allowPrivate: [] })
      await expectThrown(takeFrom(url), Unusable)
    },
  )

  test('over a real connection brings the same bytes, and stops at the bound', async () => {
    const vendor = loopbackVendor(path =>
      path === '/endless'
        ? new Response(
            new ReadableStream({ pull: controller => controller.enqueue(new Uint8Array(65_536)) }),
          )
        : new Response(picture(8)),
    )
    const real = createSafeFetch({ allowPrivate: [vendor.host] })
    on.deps.fetch = (url, init) => real(url, { ...init, maxBytes: 1024 * 1024 })
    expect((await takeFrom(`${vendor.origin}/output.png`)).sha256).toBe(sha256Hex(picture(8)))
    await discardBlobs(on.deps, ID, 1)
    await expectThrown(takeFrom(`${vendor.origin}/endless`), Unusable)
    await vendor.close()
  })
})

test('a film tells the caller its size and its seconds', async () => {
  const live = await stage({ webhookUrl: null })
  live.provider.script(done(bytes(clip())))
  const job = await submit(live)
  await run(live)
  const [output] = viewOf(live, job).outputs
  if (!output) throw new Error('a film was made')
  expect(described(live.deps, 'https://hub.example.com', output, 1)).toMatchObject({
    content_type: 'video/mp4',
    width: CLIP.width,
    height: CLIP.height,
    duration_seconds: CLIP.seconds,
  })
})

describe('discarding', () => {
  test('removes what no row names, and nothing else, as often as it is run', async () => {
    for (const offset of [0, 1, 2, 3]) {
      await take(
        on.deps,
        { type: 'file', bytes: picture(offset), contentType: null },
        (ID + offset) as FileId,
        signal(),
      )
    }
    on.deps.db.sqlite.run(
      `INSERT INTO files (id, realm_id, user_id, purpose, content_type, bytes, sha256, created_at)
       VALUES (?, 1, 1, 'output', 'image/png', 1, '', 0)`,
      [ID + 2],
    )
    for (let again = 0; again < 2; again++) {
      await discardBlobs(on.deps, ID, 3)
      expect(blobNames(on)).toEqual([ID + 2, ID + 3].map(id => formatId('file', id)))
    }
  })
})

test('a fake world refuses what the real one refuses', async () => {
  const web = fakeWeb()
  web.serve('http://vendor.example.com/', picture())
  const error: unknown = await web.fetch('http://vendor.example.com/').catch(thrown => thrown)
  expect(error).toBeInstanceOf(BlockedDestination)
})

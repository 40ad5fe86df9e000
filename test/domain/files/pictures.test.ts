import { describe, expect, test } from 'bun:test'
import { picture } from '@test/support/fake-provider'
import type { FileId } from '@/base/ids'
import { type Taken, take, Unusable } from '@/domain/files'
import type { Storage } from '@/storage/spec'
import { sample } from './samples'

const ID = 123_456 as FileId

/** Takes without a disk: the pictures are what matters here. */
async function taken(bytes: Uint8Array, contentType: string | null = null) {
  const kept: Uint8Array[] = []
  const storage = { put: async (_: string, blob: Uint8Array) => void kept.push(blob) } as never
  const deps = { storage: storage as Storage, fetch: () => Promise.reject(new Error('no network')) }
  const { signal } = new AbortController()
  const file: Taken = await take(deps, { type: 'file', bytes, contentType }, ID, signal)
  return { file, kept }
}

const size = { width: 32, height: 16 }

describe('an odd picture is measured and kept as it came', () => {
  test.each([
    ['moving.png', 'image/png', size],
    ['sixteen-bits.png', 'image/png', size],
    ['one-bit.png', 'image/png', size],
    ['moving.webp', 'image/webp', size],
    ['lossless.webp', 'image/webp', size],
    // It lies, and says that it is to be shown standing.
    ['turned.jpg', 'image/jpeg', { width: 16, height: 32 }],
  ])('%s', async (name, contentType, shown) => {
    const bytes = await sample(name)
    const { file, kept } = await taken(bytes)
    expect(file).toMatchObject({ contentType, ...shown, durationMs: null, bytes: bytes.length })
    expect(kept).toEqual([bytes])
  })
})

describe('a picture is what its bytes are', () => {
  test.each([
    ['moving.png', 'image/jpeg', 'image/png'],
    ['turned.jpg', 'image/png', 'image/jpeg'],
    ['lossless.webp', 'image/png', 'image/webp'],
    ['moving.webp', 'application/octet-stream', 'image/webp'],
    ['turned.jpg', 'video/mp4', 'image/jpeg'],
    ['turned.mp4', 'image/png', 'video/mp4'],
  ])('%s called %s is %s', async (name, claimed, contentType) => {
    expect((await taken(await sample(name), claimed)).file.contentType).toBe(contentType as never)
  })
})

describe('a GIF', () => {
  test('becomes a PNG of its first picture', async () => {
    const gif = await sample('moving.gif')
    const { file, kept } = await taken(gif, 'image/gif')
    expect(file).toMatchObject({ contentType: 'image/png', ...size })
    expect(kept).toHaveLength(1)
    const [png] = kept
    if (!png) throw new Error('it was kept')
    expect(file.bytes).toBe(png.length)
    const same = (bytes: Uint8Array) => new Bun.Image(bytes).resize(4, 4).png().bytes()
    expect(await same(png)).toEqual(await same(gif))
  })

  test.each([
    ['that is only a beginning', Buffer.from('GIF89a\x20\0\x10\0\0\0\0', 'latin1')],
    ['of 65,535 by 65,535 pixels in forty bytes', gifOf(65_535, 65_535)],
    ['one row above its bound', gifOf(4_000, 4_001)],
  ])('%s is unusable', async (_, gif) => {
    expect(await taken(gif).catch(error => error)).toBeInstanceOf(Unusable)
  })

  test('changed at random never brings down more than itself', async () => {
    const gif = await sample('moving.gif')
    let [good, bad] = [0, 0]
    for (let round = 0; round < 300; round++) {
      const changed = gif.slice(0, gif.length - (round % 7) * 150)
      for (let count = 0; count < 4; count++) {
        const at = (round * 7_919 + count * 104_729) % (count % 2 ? 48 : changed.length)
        changed[at] = (round * 31 + count * 17) & 255
      }
      const error: unknown = await taken(changed).then(
        () => null,
        thrown => thrown,
      )
      if (error === null) good++
      else bad += error instanceof Unusable ? 1 : Number.NaN
    }
    expect(good).toBeGreaterThan(20)
    expect(bad).toBe(300 - good)
  })
})

test('a picture hidden in a film’s box is no film', async () => {
  const ftyp = Buffer.from('\0\0\0\x18ftypheic\0\0\0\0heicmif1', 'latin1')
  const film = Buffer.concat([ftyp, (await sample('turned.mp4')).slice(32)])
  expect(await taken(film, 'video/mp4').catch(error => error)).toBeInstanceOf(Unusable)
  expect((await taken(picture(), 'image/heic')).file.contentType).toBe('image/png')
})

/** One colour, its head promising so many pixels. */
function gifOf(width: number, height: number): Buffer {
  const [w, h] = [width, height].map(value => [value & 255, value >> 8])
  const both = [...(w ?? []), ...(h ?? [])]
  return Buffer.concat([
    Buffer.from('GIF89a', 'latin1'),
    Buffer.from([...both, 0x80, 0, 0, 0, 0, 0, 255, 255, 255]),
    Buffer.from([0x2c, 0, 0, 0, 0, ...both, 0, 2, 2, 0x4c, 1, 0, 0x3b]),
  ])
}

import { describe, expect, test } from 'bun:test'
import { type Film, measureMp4 } from '@/domain/files/mp4'
import { CLIP, clip } from '@/providers/sandbox/clip'
import { sample } from './samples'

// --- boxes by hand ---------------------------------------------------------------------------------

const u16 = (value: number) => Buffer.from([value >> 8, value & 255])
function u32(...values: number[]): Buffer {
  const made = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) made.writeUInt32BE(value >>> 0, 4 * index)
  return made
}
function u64(value: bigint): Buffer {
  const made = Buffer.alloc(8)
  made.writeBigUInt64BE(value)
  return made
}

function box(type: string, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([u32(8 + body.length), Buffer.from(type, 'latin1'), body])
}

/** The same with a size of 64 bits. */
function longBox(type: string, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([u32(1), Buffer.from(type, 'latin1'), u64(BigInt(16 + body.length)), body])
}

/** The same with size 0: up to the end of what it stands in. */
function openBox(type: string, ...parts: Uint8Array[]): Buffer {
  return Buffer.concat([u32(0), Buffer.from(type, 'latin1'), ...parts])
}

const FTYP = box('ftyp', Buffer.from('isom\0\0\x02\0isommp42', 'latin1'))
const MDAT = box('mdat', Buffer.alloc(64, 7))

/** `mvhd` and `mdhd` as far as they are alike; the rest is zero. */
function head(type: 'mvhd' | 'mdhd', timescale: number, ticks: number | bigint): Buffer {
  const long = typeof ticks === 'bigint'
  const times = long
    ? [u32(1 << 24), u64(1n), u64(1n), u32(timescale), u64(ticks)]
    : [u32(0, 1, 1, timescale, ticks)]
  return box(type, ...times, Buffer.alloc(type === 'mvhd' ? 80 : 4))
}

/** Rows of | a b u / c d v / x y w |, in fixed points of 16 and 2 times 30 bits. */
const ONE = 0x1_0000
const UPRIGHT = [ONE, 0, 0, 0, ONE, 0, 0, 0, 0x4000_0000]
const TURNS: [string, number[], 'lies' | 'stands'][] = [
  ['as it is', UPRIGHT, 'lies'],
  ['turned by 90°', [0, ONE, 0, -ONE, 0, 0, 36 * ONE, 0, 0x4000_0000], 'stands'],
  ['turned by 180°', [-ONE, 0, 0, 0, -ONE, 0, 64 * ONE, 36 * ONE, 0x4000_0000], 'lies'],
  ['turned by 270°', [0, -ONE, 0, ONE, 0, 0, 0, 64 * ONE, 0x4000_0000], 'stands'],
  ['mirrored', [-ONE, 0, 0, 0, ONE, 0, 64 * ONE, 0, 0x4000_0000], 'lies'],
  ['turned and mirrored', [0, ONE, 0, ONE, 0, 0, 0, 0, 0x4000_0000], 'stands'],
  ['leaning', [ONE, 2 * ONE, 0, 0, ONE, 0, 0, 0, 0x4000_0000], 'lies'],
  ['leaning to the side', [ONE, 0, 0, 2 * ONE, ONE, 0, 0, 0, 0x4000_0000], 'lies'],
  ['with a matrix of zeros', [0, 0, 0, 0, 0, 0, 0, 0, 0], 'lies'],
]

type TrackOptions = {
  handler?: string
  size?: [number, number]
  matrix?: number[]
  isLong?: boolean
  isEnabled?: boolean
  mdhd?: Buffer
}

function trak(options: TrackOptions = {}): Buffer {
  const { handler = 'vide', size = [64, 36], matrix = UPRIGHT } = options
  const { isLong = false, isEnabled = true, mdhd = head('mdhd', 10, 12) } = options
  const flags = u32((isLong ? 1 << 24 : 0) | (isEnabled ? 3 : 0))
  const times = isLong ? [u64(1n), u64(1n), u32(1, 0), u64(1200n)] : [u32(1, 1, 1, 0, 1200)]
  const layer = [u32(0, 0), u16(0), u16(0), u16(0), u16(0)]
  const measures = [u32(...matrix), u32(size[0] * ONE, size[1] * ONE)]
  const hdlr = box('hdlr', u32(0, 0), Buffer.from(handler), Buffer.alloc(13))
  const tkhd = box('tkhd', flags, ...times, ...layer, ...measures)
  return box('trak', tkhd, box('edts', Buffer.alloc(8)), box('mdia', mdhd, hdlr))
}

const MVHD = head('mvhd', 1000, 1200)
const moov = (...parts: Uint8Array[]) => box('moov', MVHD, ...parts)
const film = (...boxes: Uint8Array[]) => measureMp4(Buffer.concat([FTYP, ...boxes]))
const LYING: Film = { width: 64, height: 36, durationMs: 1200 }

// --- what encoders make ----------------------------------------------------------------------------

describe('what ffmpeg makes is measured as ffprobe measures it', () => {
  test('the film of the sandbox', () => {
    const { width, height, seconds } = CLIP
    expect(measureMp4(clip())).toEqual({ width, height, durationMs: seconds * 1000 })
  })

  test.each([
    ['index-last.mp4', LYING],
    ['turned.mp4', { width: 36, height: 64, durationMs: 1200 }],
    ['with-sound.mp4', { width: 64, height: 36, durationMs: 2000 }],
    ['quicktime.mov', LYING],
    // 64 by 36 in pixels of 4:3, shown as 85 by 36.
    ['wide-pixels.mp4', { width: 85, height: 36, durationMs: 1200 }],
    // Its index knows nothing of the fragments behind it.
    ['fragments.mp4', { width: 64, height: 36, durationMs: null }],
    ['sound-only.mp4', null],
  ])('%s', async (name, expected) => {
    expect(measureMp4(await sample(name))).toEqual(expected)
  })

  test('wherever it lies in a larger buffer', () => {
    const whole = Buffer.concat([Buffer.alloc(13, 1), clip(), Buffer.alloc(99, 1)])
    const inside = whole.subarray(13, 13 + clip().length)
    expect(measureMp4(inside)).toEqual(measureMp4(clip()))
  })
})

// --- how it may be written -------------------------------------------------------------------------

describe('the index is found', () => {
  test.each([
    ['in front', [moov(trak()), MDAT]],
    ['at the end', [MDAT, moov(trak())]],
    ['behind boxes that nobody knows', [box('free'), box('uuid', Buffer.alloc(16)), moov(trak())]],
    ['behind pictures with a size of 64 bits', [longBox('mdat', MDAT), moov(trak())]],
    ['with a size of 64 bits itself', [MDAT, longBox('moov', MVHD, trak())]],
    ['open to the end of the file', [MDAT, openBox('moov', MVHD, trak())]],
    ['before pictures open to the end', [moov(trak()), openBox('mdat', MDAT)]],
    ['before something that is no box', [moov(trak()), Buffer.from('\0\0\0\x03end')]],
    ['before pictures that were cut off', [moov(trak()), MDAT.subarray(0, 30)]],
    ['and the first one counts', [moov(trak()), moov(trak({ size: [1, 1] }))]],
  ])('%s', (_, boxes) => {
    expect(film(...boxes)).toEqual(LYING)
  })
})

describe('nothing is there to be shown', () => {
  test.each([
    ['nothing at all', []],
    ['no index', [MDAT]],
    ['an index behind pictures open to the end', [openBox('mdat'), moov(trak())]],
    ['an index that was cut off', [moov(trak()).subarray(0, -1)]],
    ['an index without tracks', [moov()]],
    ['sound alone', [moov(trak({ handler: 'soun' }))]],
    ['a track that does not say what it is', [moov(box('trak', box('mdia')))]],
    ['a track with half a handler', [moov(box('trak', box('mdia', box('hdlr', u32(0, 0)))))]],
    ['an index behind a box smaller than its head', [u32(7), Buffer.from('free'), moov(trak())]],
    ['one behind a 64-bit size smaller than its head', [u32(1), Buffer.from('free'), u64(15n)]],
    ['one behind a 64-bit size without its 64 bits', [u32(1), Buffer.from('free'), u32(0)]],
    [
      'one behind a size beyond all numbers',
      [u32(1), Buffer.from('free'), u64(2n ** 64n - 1n), moov(trak())],
    ],
    ['an index inside another box', [box('free', moov(trak()))]],
    ['tracks outside the index', [moov(), trak()]],
  ])('%s', (_, boxes) => {
    expect(film(...boxes)).toBeNull()
  })
})

describe('the size', () => {
  test.each(TURNS)('of one %s', (_, matrix, stance) => {
    const [width, height] = stance === 'lies' ? [64, 36] : [36, 64]
    expect(film(moov(trak({ matrix })))).toEqual({ width, height, durationMs: 1200 })
    expect(film(moov(trak({ matrix, isLong: true })))).toEqual({ width, height, durationMs: 1200 })
  })

  test('is that of the film beside sound and a cover', () => {
    const cover = trak({ size: [500, 500], isEnabled: false })
    expect(film(moov(trak({ handler: 'soun', size: [0, 0] }), cover, trak()))).toEqual(LYING)
    expect(film(moov(trak(), trak({ size: [500, 500] })))).toEqual(LYING)
  })

  test('is that of a track which is switched off, when there is no other', () => {
    expect(film(moov(trak({ isEnabled: false })))).toEqual(LYING)
  })

  test.each([
    ['of nothing', trak({ size: [0, 0] })],
    ['of half nothing', trak({ size: [64, 0] })],
    [
      'without a head',
      box('trak', box('mdia', head('mdhd', 10, 12), box('hdlr', u32(0, 0), Buffer.from('vide')))),
    ],
    [
      'with a head that is too short',
      box(
        'trak',
        box('tkhd', Buffer.alloc(83)),
        box('mdia', box('hdlr', u32(0, 0), Buffer.from('vide'))),
      ),
    ],
  ])('%s is unknown, and the rest is told', (_, track) => {
    expect(film(moov(track))).toEqual({ width: null, height: null, durationMs: 1200 })
  })
})

describe('the duration', () => {
  const DAY_TICKS = 24 * 3600 * 1000
  const lasting = (mvhd: Buffer, mdhd = head('mdhd', 10, 0), ...more: Uint8Array[]) =>
    film(box('moov', mvhd, trak({ mdhd }), ...more))?.durationMs

  test.each([
    ['in 32 bits', head('mvhd', 600, 3000), 5000],
    ['in 64 bits', head('mvhd', 90_000, 450_000n), 5000],
    ['that is no whole number of milliseconds', head('mvhd', 30_000, 1001), 33],
    ['of a day', head('mvhd', 1000, DAY_TICKS), DAY_TICKS],
    ['beyond a day', head('mvhd', 1000, DAY_TICKS + 1), null],
    ['beyond all numbers', head('mvhd', 1, 2n ** 64n - 2n), null],
    ['that is said to be unknown', head('mvhd', 90_000, 0xffff_ffff), null],
    ['that is said to be unknown in 64 bits', head('mvhd', 1000, 2n ** 64n - 1n), null],
    ['without a clock', head('mvhd', 0, 1200), null],
    ['of nothing', head('mvhd', 1000, 0), null],
    ['below a millisecond', head('mvhd', 90_000, 1), null],
    ['in a head that is too short', box('mvhd', Buffer.alloc(19)), null],
    ['in an empty head', box('mvhd'), null],
  ] as const)('%s', (_, mvhd, expected) => {
    expect(lasting(mvhd)).toBe(expected)
  })

  test('is the track’s own where the presentation has none', () => {
    expect(lasting(head('mvhd', 1000, 0), head('mdhd', 12_800, 25_600))).toBe(2000)
    expect(lasting(box('free'), head('mdhd', 12_800, 25_600n))).toBe(2000)
  })

  test('of fragments is that of mehd, and else unknown', () => {
    const mehd = (long: boolean) =>
      box('mehd', ...(long ? [u32(1 << 24), u64(7000n)] : [u32(0, 7000)]))
    const trex = box('trex', Buffer.alloc(24))
    const [mvhd, mdhd] = [head('mvhd', 1000, 400), head('mdhd', 1000, 400)]
    for (const long of [false, true]) {
      expect(lasting(mvhd, mdhd, box('mvex', mehd(long), trex))).toBe(7000)
    }
    for (const mvex of [box('mvex', trex), box('mvex'), box('mvex', box('mehd', u32(0)))]) {
      expect(lasting(mvhd, mdhd, mvex)).toBe(null)
    }
    expect(lasting(box('free'), mdhd, box('mvex', mehd(false)))).toBe(null)
  })
})

// --- what is meant to hurt -------------------------------------------------------------------------

describe('a hostile file', () => {
  const TRACK = trak()

  test.each([
    ['of a million empty boxes', Buffer.alloc(8_000_000, box('free'))],
    ['of a million empty indexes', Buffer.alloc(8_000_000, box('moov'))],
    ['of boxes that reach to the end, in each other', Buffer.alloc(8_000_000, openBox('moov'))],
    ['whose index is full of tracks', moov(Buffer.alloc(1000 * TRACK.length, TRACK))],
    ['whose index is full of empty tracks', moov(Buffer.alloc(8_000_000, box('trak')))],
    ['whose track is full of heads', moov(box('trak', Buffer.alloc(8_000_000, box('mdia'))))],
    ['of zeros', Buffer.alloc(8_000_000)],
    ['of ones', Buffer.alloc(8_000_000, 255)],
  ])('%s is read in no time', (_, boxes) => {
    const from = performance.now()
    film(boxes)
    expect(performance.now() - from).toBeLessThan(250)
  })

  test('is not looked at beyond ten thousand boxes', () => {
    const padding = (count: number) => Buffer.alloc(8 * count, box('free'))
    expect(film(padding(9_900), moov(trak()))).toEqual(LYING)
    expect(film(padding(10_000), moov(trak()))).toBeNull()
  })

  test('cut anywhere is read without a word', () => {
    const whole = Buffer.concat([FTYP, moov(trak({ handler: 'soun' }), trak()), MDAT])
    const index = FTYP.length + moov(trak({ handler: 'soun' }), trak()).length
    for (let length = 0; length <= whole.length; length++) {
      const found = measureMp4(whole.subarray(0, length))
      expect(found).toEqual(length < index ? null : LYING)
    }
  })

  test('changed at random two thousand times says something sensible, or nothing', async () => {
    const names = ['turned.mp4', 'fragments.mp4', 'with-sound.mp4', 'quicktime.mov']
    const handmade = Buffer.concat([FTYP, longBox('moov', head('mvhd', 9, 90n), trak(), TRACK)])
    const seeds = [clip(), handmade, ...(await Promise.all(names.map(sample)))]
    const random = randomFrom(20_260_501)
    let [films, nothing, slowestMs] = [0, 0, 0]
    for (let round = 0; round < 2_000; round++) {
      const changed = mutated(seeds[round % seeds.length] ?? handmade, random)
      const from = performance.now()
      const found = measureMp4(changed)
      slowestMs = Math.max(slowestMs, performance.now() - from)
      if (found) films++
      else nothing++
      for (const value of Object.values(found ?? {})) {
        if (value === null) continue
        expect(Number.isInteger(value) && value > 0 && value <= 86_400_000).toBe(true)
      }
    }
    // Both happen, or the changes would test nothing.
    expect(films).toBeGreaterThan(200)
    expect(nothing).toBeGreaterThan(200)
    expect(slowestMs).toBeLessThan(250)
  })
})

type Random = (below: number) => number

/** Always the same numbers from the same seed (a linear congruential generator, its high bits). */
function randomFrom(seed: number): Random {
  let state = BigInt(seed)
  return below => {
    state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) & (2n ** 64n - 1n)
    return Number(state >> 33n) % below
  }
}

/** Some bytes replaced where the boxes' heads are, at times a piece cut out, doubled, or the end gone. */
function mutated(seed: Uint8Array, random: Random): Uint8Array {
  let made = Buffer.from(seed)
  const near = Math.min(made.length, 1_400)
  for (let count = 1 + random(8); count > 0; count--) {
    const at = random(random(2) === 0 ? near : made.length)
    const value = [0, 1, 7, 8, 127, 255][random(12)] ?? random(256)
    made[at] = value
  }
  const [from, to] = [random(made.length), random(made.length)].sort((a, b) => a - b)
  switch (random(5)) {
    case 0:
      made = Buffer.concat([made.subarray(0, from), made.subarray(to)])
      break
    case 1:
      made = Buffer.concat([made.subarray(0, to), made.subarray(from)])
      break
    case 2:
      made = made.subarray(0, to)
      break
  }
  return made
}

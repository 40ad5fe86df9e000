import { describe, expect, test } from 'bun:test'
import { inflateSync } from 'node:zlib'
import { type DrawRequest, draw } from '@/threads/draw'
import { glyphOf } from '@/threads/drawing/font'

function request(changes: Partial<DrawRequest> = {}): DrawRequest {
  const plain = { prompt: 'A futuristic city', seed: 42, width: 256, height: 192, index: 0 }
  return { ...plain, format: 'png', ...changes }
}

async function bytes(changes: Partial<DrawRequest> = {}): Promise<Uint8Array> {
  return (await draw(request(changes))).bytes
}

describe('a drawing', () => {
  test.each([
    ['png', 1024, 1024],
    ['jpeg', 1344, 768],
    ['webp', 832, 1216],
    ['png', 17, 19],
    ['jpeg', 17, 19],
  ] as const)('is a %s of %p x %p', async (format, width, height) => {
    const drawing = await draw(request({ format, width, height }))
    expect(drawing).toMatchObject({ contentType: `image/${format}`, width, height })
    const image = new Bun.Image(drawing.bytes)
    expect(await image.metadata()).toMatchObject({ format, width, height })
    expect((await image.webp().bytes()).length).toBeGreaterThan(30)
  })

  test.each(['png', 'jpeg', 'webp'] as const)('as %s is the same bytes again', async format => {
    expect(await bytes({ format })).toEqual(await bytes({ format }))
  })

  test('changes with the seed, with the index and with the prompt', async () => {
    const all = [
      await bytes(),
      await bytes({ seed: 43 }),
      await bytes({ seed: 42 + 2 ** 32 }),
      await bytes({ seed: -42 }),
      await bytes({ index: 1 }),
      await bytes({ prompt: 'A futuristic town' }),
    ]
    expect(new Set(all.map(each => Bun.hash(each))).size).toBe(all.length)
  })

  test('shows the prompt letter by letter', async () => {
    const { width, pixels } = await decoded({ prompt: 'Hub' })
    for (const letter of 'Hub') {
      expect(findGlyph(pixels, width, glyphOf(letter))).toBeGreaterThan(0)
    }
    expect(findGlyph(pixels, width, glyphOf('W'))).toBe(0)
  })

  test('shows a box for what the font does not have', async () => {
    const { width, pixels } = await decoded({ prompt: 'a\u{1f60a}b' })
    expect(findGlyph(pixels, width, glyphOf('\u{1f60a}'))).toBe(1)
  })

  test.each([
    ['nothing', ''],
    ['32 KB of one word', 'w'.repeat(32_768)],
    ['32 KB of words', 'many words '.repeat(2_978)],
    ['controls and newlines', 'a\u0000b\r\nc\td\u2028e\n\n\nf'],
    ['half a pair', '\ud83d'],
  ])('of %s is a picture', async (_, prompt) => {
    const drawing = await draw(request({ prompt }))
    expect(await new Bun.Image(drawing.bytes).metadata()).toMatchObject({ width: 256 })
  })

  test.each([0, 15, 4_097, 100.5, Number.NaN])('of %p pixels is refused', async width => {
    await expect(draw(request({ width }))).rejects.toThrow(RangeError)
  })
})

describe('the font', () => {
  const characters = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index))

  test('has a glyph of its own for every printable character', () => {
    const drawn = characters.map(each => glyphOf(each).join())
    expect(new Set(drawn).size).toBe(95)
    expect(drawn).not.toContain(glyphOf('\u00e9').join())
  })

  test('keeps to five columns and nine rows', () => {
    for (const character of characters) {
      const rows = glyphOf(character)
      expect(rows.length).toBe(9)
      for (const row of rows) expect(row >= 0 && row < 32).toBe(true)
    }
    expect(glyphOf(' ').every(row => row === 0)).toBe(true)
    expect(glyphOf('I')).toEqual([14, 4, 4, 4, 4, 4, 14, 0, 0])
  })
})

/**
 * Reads our own PNG back: eight bits, three channels, every row filtered against its left
 * neighbour.
 */
async function decoded(
  changes: Partial<DrawRequest>,
): Promise<{ width: number; height: number; pixels: Uint8Array }> {
  const { bytes: file, width, height } = await draw(request(changes))
  const view = Buffer.from(file)
  const idat = view.indexOf('IDAT')
  const packed = view.subarray(idat + 4, idat + 4 + view.readUInt32BE(idat - 4))
  const rows = inflateSync(packed)
  const pixels = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width * 3; x++) {
      const left = x < 3 ? 0 : (pixels[y * width * 3 + x - 3] ?? 0)
      pixels[y * width * 3 + x] = left + (rows[y * (width * 3 + 1) + 1 + x] ?? 0)
    }
  }
  return { width, height, pixels }
}

/** How often a glyph stands somewhere in the picture, in letters of four pixels a dot and more. */
function findGlyph(pixels: Uint8Array, width: number, rows: readonly number[]): number {
  const height = pixels.length / width / 3
  const isInk = (x: number, y: number) => {
    const at = (y * width + x) * 3
    return Math.min(pixels[at] ?? 0, pixels[at + 1] ?? 0, pixels[at + 2] ?? 0) > 225
  }
  let found = 0
  for (const scale of [6, 5, 4]) {
    for (let top = 0; top + 7 * scale <= height; top++) {
      for (let left = scale; left + 6 * scale <= width; left++) {
        if (standsAt(isInk, rows, left, top, scale)) found++
      }
    }
  }
  return found
}

/** Every dot of the cell, with the empty column on either side, is ink or not as the glyph says. */
function standsAt(
  isInk: (x: number, y: number) => boolean,
  rows: readonly number[],
  left: number,
  top: number,
  scale: number,
): boolean {
  for (const [row, bits] of rows.entries()) {
    for (let column = -1; column <= 5; column++) {
      const isSet = column >= 0 && column < 5 && ((bits >> (4 - column)) & 1) === 1
      const x = left + column * scale
      const y = top + row * scale
      if (isInk(x, y) !== isSet || isInk(x + scale - 1, y + scale - 1) !== isSet) return false
    }
  }
  return true
}

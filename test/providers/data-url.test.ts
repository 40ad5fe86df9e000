import { describe, expect, test } from 'bun:test'
import { dataUrl, pictureBytes, pictureInHand, piecesOf } from '@test/support/pictures'
import {
  checkInHand,
  isInHand,
  lengthInHand,
  type PictureInHand,
  readDataUrl,
} from '@/providers/data-url'
import { ProviderError } from '@/providers/errors'
import { type PictureKind, pictureKind } from '@/providers/picture-kind'

function refusal(url: string): ProviderError {
  try {
    const { bytes } = readDataUrl(url)
    throw new Error(`it was read as ${bytes.length} bytes`)
  } catch (error) {
    if (error instanceof ProviderError) return error
    throw error
  }
}

const KINDS: PictureKind[] = ['png', 'jpeg', 'webp']

describe('a picture in hand', () => {
  test.each(KINDS)('of the kind %s is read, whatever its padding', kind => {
    for (const size of [100, 101, 102]) {
      const bytes = pictureBytes(size, kind)
      expect(readDataUrl(pictureInHand(size, kind))).toEqual({
        kind,
        contentType: `image/${kind}`,
        bytes,
        base64: bytes.toBase64(),
      } satisfies PictureInHand)
    }
  })

  const png = pictureInHand(400)
  const base64 = png.slice(png.indexOf(',') + 1)

  test.each([
    ['no URL at all', 'nonsense'],
    ['an address', 'https://a.example/1.png'],
    ['nothing', 'data:image/png;base64,'],
    ['another scheme', png.replace('data:', 'blob:')],
    ['capitals', png.replace('data:', 'DATA:')],
    ['a parameter', png.replace(';base64', ';charset=utf-8;base64')],
    ['no base64', `data:image/png,${base64}`],
    ['no type', `data:;base64,${base64}`],
    ['a type that is none of ours', png.replace('png', 'gif')],
    ['a drawing', dataUrl(Buffer.from('<svg/>'.repeat(40)), 'image/svg+xml')],
    ['the wrong spelling', pictureInHand(400, 'jpeg').replace('jpeg', 'jpg')],
    ['a space before it', ` ${png}`],
    ['a space behind it', `${png} `],
    ['line breaks in it', png.replace(/.{76}$/, '\n$&')],
    ['as many line breaks as hide in the padding', png.replace(/.{76}$/, '\n\n\n\n$&')],
    ['missing padding', png.replace(/=+$/, '')],
    ['more padding', `${png}=`],
    ['the alphabet of URLs', png.replaceAll('+', '-').replaceAll('/', '_')],
    ['bits that count for nothing', `${pictureInHand(401).slice(0, -3)}B==`],
    ['other bytes', dataUrl(Buffer.from('<html>'.repeat(40)), 'image/png')],
    ['bytes of another kind', dataUrl(pictureBytes(400, 'webp'), 'image/png')],
  ])('that is or has %s is refused, without a word of it', (_, url) => {
    const error = refusal(url)
    expect(error).toMatchObject({ kind: 'rejected', reason: 'input' })
    expect(error.cause).toBeUndefined()
    expect(piecesOf(url).filter(piece => piece && error.message.includes(piece))).toEqual([])
    expect(error.message.length).toBeLessThan(100)
  })

  test('may have 100 MiB, and is not decoded to find out', () => {
    const most = 100 * 1024 * 1024
    const tooMuch = `data:image/png;base64,${'A'.repeat(Math.ceil((most + 2) / 3) * 4)}`
    expect(refusal(tooMuch).message).toContain(`more than ${most} bytes`)
    const atMost = `data:image/png;base64,${'A'.repeat(Math.floor(most / 3) * 4)}`
    expect(refusal(atMost).message).toContain('is called png and is not')
  })
})

test('of several only those in hand are looked at and counted', () => {
  const images = ['https://a.example/1.png', pictureInHand(300), 'DATA:whatever']
  expect(images.map(isInHand)).toEqual([false, true, true])
  expect(lengthInHand(images)).toBe(pictureInHand(300).length + 'DATA:whatever'.length)
  expect(() => checkInHand(images)).toThrow(ProviderError)
  checkInHand(images.slice(0, 2))
})

test.each([
  ...KINDS.map(kind => [kind, pictureBytes(64, kind)] as const),
  [null, Buffer.from('GIF89a')],
  [null, Buffer.from('RIFF\x04\x00\x00\x00WAVE')],
  [null, new Uint8Array()],
])('%p is what the bytes say', (kind, bytes) => {
  expect(pictureKind(bytes)).toBe(kind)
})

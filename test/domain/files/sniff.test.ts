import { describe, expect, test } from 'bun:test'
import { picture } from '@test/support/fake-provider'
import { sniff } from '@/domain/files/sniff'

/** A box of the ISO family: MP4, and also pictures and sound that only look like one. */
function ftyp(brand: string): Uint8Array {
  return Buffer.concat([
    Buffer.from([0, 0, 0, 0x18]),
    Buffer.from(`ftyp${brand}\0\0\0\0${brand}mif1`, 'latin1'),
  ])
}

const text = (content: string) => Buffer.from(content, 'latin1')

describe('the first bytes say what it is', () => {
  test.each([
    ['a PNG', picture(), 'image/png'],
    ['a JPEG with JFIF', text('\xff\xd8\xff\xe0\x00\x10JFIF\0'), 'image/jpeg'],
    ['a JPEG with Exif', text('\xff\xd8\xff\xe1\x00\x10Exif\0'), 'image/jpeg'],
    ['a JPEG with neither', text('\xff\xd8\xff\xdb\x00\x43\x00'), 'image/jpeg'],
    ['a WebP', text('RIFF\x24\0\0\0WEBPVP8 '), 'image/webp'],
    ['an MP4 (isom)', ftyp('isom'), 'video/mp4'],
    ['an MP4 (mp42)', ftyp('mp42'), 'video/mp4'],
    ['an MP4 (avc1)', ftyp('avc1'), 'video/mp4'],
    ['an MP4 (iso5)', ftyp('iso5'), 'video/mp4'],
    ['an MP4 of fragments (dash)', ftyp('dash'), 'video/mp4'],
    ['an MP4 of Apple’s (M4V)', ftyp('M4V '), 'video/mp4'],
    ['a film of QuickTime', ftyp('qt  '), 'video/mp4'],
    ['a film of a phone', ftyp('3gp4'), 'video/mp4'],
  ] as const)('%s', (_, content, type) => {
    expect(sniff(content)).toBe(type)
  })
})

describe('nothing else is taken for one of these', () => {
  test.each([
    ['nothing', new Uint8Array()],
    ['a GIF', text('GIF89a\x01\0\x01\0')],
    ['a BMP', text('BM\x3a\0\0\0\0\0\0\0')],
    ['a TIFF', text('II*\0\x08\0\0\0')],
    ['a PDF', text('%PDF-1.7\n')],
    ['HTML', text('<!doctype html><script>alert(1)</script>')],
    ['an SVG, which may hold a script', text('<svg xmlns="http://www.w3.org/2000/svg">')],
    ['XML in front of an SVG', text('<?xml version="1.0"?><svg>')],
    ['JSON', text('{"error": "no such output"}')],
    ['a ZIP', text('PK\x03\x04')],
    ['a WAVE, which is RIFF as well', text('RIFF\x24\0\0\0WAVEfmt ')],
    ['an AVI, which is RIFF as well', text('RIFF\x24\0\0\0AVI LIST')],
    ['an AVIF picture, which has an MP4’s box', ftyp('avif')],
    ['an AVIF sequence', ftyp('avis')],
    ['a HEIC picture', ftyp('heic')],
    ['a HEIC picture of ten bits', ftyp('heix')],
    ['a HEIC sequence', ftyp('hevc')],
    ['a HEIF picture', ftyp('mif1')],
    ['a HEIF sequence', ftyp('msf1')],
    ['a JPEG 2000', ftyp('jp2 ')],
    ['a raw picture of a camera', ftyp('crx ')],
    ['a sound in an MP4’s box', ftyp('M4A ')],
    ['a spoken book in an MP4’s box', ftyp('M4B ')],
    ['a WebM', text('\x1aE\xdf\xa3\x9fB\x86\x81\x01')],
    ['a PNG’s first seven bytes', picture().slice(0, 7)],
    ['a JPEG’s first two bytes', text('\xff\xd8')],
    ['a PNG behind a blank', text(` ${Buffer.from(picture()).toString('latin1')}`)],
    ['a PNG whose line ends were repaired', text('\x89PNG\n\x1a\n\0\0')],
  ])('%s', (_, content) => {
    expect(sniff(content)).toBeNull()
  })
})

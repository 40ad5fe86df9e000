import { createHash } from 'node:crypto'
import type { PictureKind } from '@/providers/picture-kind'

const MAGIC: Record<PictureKind, string> = {
  png: '\x89PNG\r\n\x1a\n',
  jpeg: '\xff\xd8\xff\xe0',
  webp: 'RIFF\x04\x00\x00\x00WEBP',
}

/** The beginning of a picture, and behind it what nobody could guess: the same for the same arguments. */
export function pictureBytes(
  sizeBytes: number,
  kind: PictureKind = 'png',
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes)
  const block = createHash('sha512').update(`${kind} of ${sizeBytes}`).digest()
  for (let at = 0; at < sizeBytes; at += block.length) {
    // Each block differs from the last, so that a piece is found only where it really was.
    block.writeUInt32LE(Math.imul(at + 1, 2_654_435_761) >>> 0, (at / block.length) % 60)
    bytes.set(block.subarray(0, sizeBytes - at), at)
  }
  bytes.set(Buffer.from(MAGIC[kind], 'latin1'))
  return bytes
}

/** The same as a picture in hand. */
export function pictureInHand(sizeBytes: number, kind: PictureKind = 'png'): string {
  return dataUrl(pictureBytes(sizeBytes, kind), `image/${kind}`)
}

export function dataUrl(bytes: Uint8Array, contentType: string): string {
  return `data:${contentType};base64,${bytes.toBase64()}`
}

/**
 * What a message that was cut somewhere would hold of a picture: pieces of its first part, which say nothing
 * but that it is this one.
 */
export function piecesOf(image: string): string[] {
  const base64 = image.slice(image.indexOf(',') + 1)
  // Behind what all pictures of a kind begin with.
  return Array.from({ length: 40 }, (_, index) => base64.slice(24 + index * 12, 36 + index * 12))
}

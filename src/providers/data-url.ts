import { ProviderError } from './errors'
import { type PictureKind, pictureKind } from './picture-kind'

/** A picture that we hold ourselves, instead of an address where a vendor could fetch it. */
export type PictureInHand = {
  kind: PictureKind
  contentType: `image/${PictureKind}`
  bytes: Uint8Array<ArrayBuffer>
  /** The bytes once more as they came, for vendors that want them so: nothing is encoded twice. */
  base64: string
}

/** Whether it is in hand, whatever it is worth; the others are addresses. */
export function isInHand(image: string): boolean {
  return /^data:/i.test(image)
}

/**
 * A `data:` URL of a picture, in the one form that `ProviderInput.images` allows. Throws ProviderError
 * `rejected` for every other form, for more than 100 MiB and for bytes that are not what the URL says they
 * are, which a vendor would find out only after it was asked. No message holds anything of the content.
 */
export function readDataUrl(url: string): PictureInHand {
  const [head = '', named] = HEAD.exec(url) ?? []
  const kind = KINDS.find(known => known === named)
  if (!kind) throw unusable('is not PNG, JPEG or WebP as base64')
  const base64 = url.slice(head.length)
  if (sizeOf(base64) > MAX_BYTES) throw unusable(`has more than ${MAX_BYTES} bytes`)
  const bytes = decoded(base64)
  // With white space in between fewer bytes come out than the length promises.
  if (bytes?.length !== sizeOf(base64)) throw unusable('is not strictly base64')
  if (pictureKind(bytes) !== kind) throw unusable(`is called ${kind} and is not`)
  return { kind, contentType: `image/${kind}`, bytes, base64 }
}

/** Throws like `readDataUrl`, for vendors that are sent it as it is. */
export function checkInHand(images: readonly string[]): void {
  for (const image of images.filter(isInHand)) readDataUrl(image)
}

/** How long those in hand are together as they stand in a request: characters, of which each is a byte there. */
export function lengthInHand(images: readonly string[]): number {
  return images.filter(isInHand).reduce((sum, { length }) => sum + length, 0)
}

/**
 * For good, and never `rejected`: the caller did nothing wrong by handing over a picture, and another vendor
 * of the same model may take it.
 */
export function addressesOnly(vendor: string): ProviderError {
  const message = `${vendor} takes addresses of pictures only`
  return new ProviderError('unavailable', message, { isPermanent: true })
}

/** The same for pictures that are fine and too large for this vendor. */
export function tooLargeFor(vendor: string, mostBytes: number): ProviderError {
  const message = `the pictures have more than the ${mostBytes} bytes that ${vendor} takes`
  return new ProviderError('unavailable', message, { isPermanent: true })
}

const KINDS: readonly PictureKind[] = ['png', 'jpeg', 'webp']
const HEAD = /^data:image\/([a-z]+);base64,/
/** As much as any vendor takes in one piece. Whoever lets callers in has a limit that is well below. */
const MAX_BYTES = 100 * 1024 * 1024

/** Bytes that so much base64 makes. No number where it is of a length that none has. */
function sizeOf(base64: string): number {
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0
  return base64.length % 4 === 0 ? (base64.length / 4) * 3 - padding : Number.NaN
}

function decoded(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.fromBase64(base64, { lastChunkHandling: 'strict' })
  } catch {
    return null
  }
}

function unusable(why: string): ProviderError {
  return new ProviderError('rejected', `an input picture ${why}`, { reason: 'input' })
}

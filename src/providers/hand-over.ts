import { isInHand, type PictureInHand, readDataUrl, tooLargeFor } from './data-url'
import { ProviderError, toProviderError } from './errors'
import { several } from './several'
import type { ProviderContext } from './spec'

export type HandOver = {
  vendor: string
  /** As many bytes of pictures go into the request itself, all of them together. */
  inlineBytes: number
  /** As large may one be that is uploaded, where that is less than what a picture in hand may have. */
  mostBytes?: number
  /** Brings a picture to the vendor and answers what the vendor knows it by. */
  upload(picture: PictureInHand, filename: string): Promise<string>
}

/**
 * The pictures as the vendor takes them: addresses as they are, small ones in hand as they are, and instead
 * of each larger one what its upload is called. The same picture goes up once, however often it is named.
 *
 * An upload comes before the start and starts nothing, and made twice it does no harm. So unlike a start that
 * broke off it is never `unknown_outcome`: another try or another vendor may follow at once. Nor is it
 * `rejected`, for what is uploaded is a picture; what one store does not want, another vendor may take. Only
 * a rate limit stays one, and whoever stops waiting asks nobody for a second try.
 */
export async function handOver(
  images: readonly string[],
  ctx: Pick<ProviderContext, 'signal'>,
  { vendor, inlineBytes, mostBytes = Number.POSITIVE_INFINITY, upload }: HandOver,
): Promise<string[]> {
  const large = largeOf(images, inlineBytes)
  if (large.some(([, { bytes }]) => bytes.length > mostBytes)) throw tooLargeFor(vendor, mostBytes)
  if (large.length === 0) return [...images]
  const bring = async ([image, picture]: Large) => {
    try {
      return [image, await upload(picture, `picture.${picture.kind}`)] as const
    } catch (thrown) {
      const error = toProviderError(thrown)
      throw ctx.signal.aborted ? error : beforeStart(error)
    }
  }
  const { made, failed } = await several(large, bring, { isRepeatable: true })
  // With one of them missing it would be another question.
  if (failed[0]) throw failed[0]
  const addresses = new Map(made)
  return images.map(image => addresses.get(image) ?? image)
}

type Large = [image: string, picture: PictureInHand]

/** Those that do not go into the request, each once. Those before them have taken the room. */
function largeOf(images: readonly string[], inlineBytes: number): Large[] {
  const inHand = [...new Set(images)].filter(isInHand)
  const read = inHand.map((image): Large => [image, readDataUrl(image)])
  let room = inlineBytes
  return read.filter(([, { bytes }]) => {
    if (bytes.length > room) return true
    room -= bytes.length
    return false
  })
}

function beforeStart(error: ProviderError): ProviderError {
  const { kind, message } = error
  if (kind === 'rate_limited' || kind === 'unavailable') return error
  const told = `before the start: ${message}`
  return new ProviderError('unavailable', told, { isPermanent: kind === 'rejected', cause: error })
}

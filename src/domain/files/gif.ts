import { createTurnstile } from '@/base/turnstile'

/** A smaller bound than that of other pictures, because this one is unpacked here: 64 MB of pixels. */
const MAX_PIXELS = 16_000_000

/** Each holds all its pixels in memory while it lasts, and no model that is sold makes GIFs at all. */
const conversions = createTurnstile(1)

export function isGif(bytes: Uint8Array): boolean {
  const head = String.fromCharCode(...bytes.subarray(0, 6))
  return head === 'GIF87a' || head === 'GIF89a'
}

/**
 * The first picture of a GIF as PNG. Callers are promised PNG, JPEG, WebP or MP4, and a picture that was
 * paid for and lies before us is worth a conversion; one that moves loses its motion.
 * Throws what Bun's decoder throws.
 */
export async function stillOf(gif: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  return await conversions.pass(signal, () =>
    new Bun.Image(gif, { maxPixels: MAX_PIXELS }).png().bytes(),
  )
}

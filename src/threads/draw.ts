import { createCanvas } from './drawing/canvas'
import { encode, type PictureFormat } from './drawing/encode'
import { paintLandscape } from './drawing/landscape'
import { paintMark, paintPrompt } from './drawing/lettering'
import { paletteOf } from './drawing/palette'
import { createRandom, hashText, mix } from './drawing/random'

export type DrawRequest = {
  prompt: string
  /** Any integer that a double holds exactly. */
  seed: number
  /** Pixels, 16 to 4096 a side. */
  width: number
  height: number
  format: PictureFormat
  /** Which of several outputs this is, from 0. */
  index: number
}

export type Drawing = { bytes: Uint8Array; contentType: string; width: number; height: number }

/**
 * A picture that is plainly ours, with the prompt legible on it. The same request gives the same
 * bytes. Throws a RangeError for a size that is no size.
 */
export async function draw(request: DrawRequest): Promise<Drawing> {
  const { prompt, seed, width, height, format, index } = request
  for (const side of [width, height]) {
    if (!Number.isInteger(side) || side < SMALLEST_SIDE || side > LARGEST_SIDE) {
      throw new RangeError(`a side of ${side} pixels cannot be drawn`)
    }
  }
  const promptHash = hashText(prompt)
  const palette = paletteOf(promptHash)
  const canvas = createCanvas(width, height)
  paintLandscape(canvas, palette, createRandom(mix(mix(promptHash, seed), index)))
  paintPrompt(canvas, palette, prompt, `seed ${seed}  #${index + 1}  ${width}x${height}`)
  paintMark(canvas, palette, 'sandbox')
  return { bytes: await encode(canvas, format), contentType: `image/${format}`, width, height }
}

const SMALLEST_SIDE = 16
const LARGEST_SIDE = 4_096

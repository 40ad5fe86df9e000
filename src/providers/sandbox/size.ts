export type Size = { width: number; height: number }

/**
 * Pixels for an aspect ratio such as `16:9`: about a megapixel, sides in steps of 16, the longer
 * one at most 1344. Words (`auto`, `match_input_image`) and null are square: what a live model
 * takes the sandbox takes too.
 */
export function sizeOf(aspectRatio: string | null): Size {
  const known = aspectRatio === null ? undefined : USUAL.get(aspectRatio)
  if (known) return known
  const [, across, down] = /^(\d{1,5}(?:\.\d{1,4})?)[:x](\d{1,5}(?:\.\d{1,4})?)$/.exec(
    aspectRatio ?? '',
  ) ?? [null, '1', '1']
  const ratio = Number(across) / Number(down)
  return sizeOfRatio(Number.isFinite(ratio) && ratio > 0 ? ratio : 1)
}

const STEP = 16
const LONGEST_SIDE = 1_344
const AREA = 1_024 * 1_024
/** Beyond this a picture is a line. */
const LONGEST_RATIO = 8

/** What image models themselves answer for the usual ratios. */
const USUAL = new Map<string, Size>([
  ['1:1', { width: 1_024, height: 1_024 }],
  ['16:9', { width: 1_344, height: 768 }],
  ['9:16', { width: 768, height: 1_344 }],
  ['4:3', { width: 1_152, height: 896 }],
  ['3:4', { width: 896, height: 1_152 }],
  ['3:2', { width: 1_216, height: 832 }],
  ['2:3', { width: 832, height: 1_216 }],
  ['21:9', { width: 1_344, height: 576 }],
])

function sizeOfRatio(asked: number): Size {
  const ratio = Math.min(Math.max(asked, 1 / LONGEST_RATIO), LONGEST_RATIO)
  const longest = Math.min(Math.sqrt(AREA * Math.max(ratio, 1 / ratio)), LONGEST_SIDE)
  return ratio >= 1
    ? { width: inSteps(longest), height: inSteps(longest / ratio) }
    : { width: inSteps(longest * ratio), height: inSteps(longest) }
}

function inSteps(pixels: number): number {
  return Math.max(Math.round(pixels / STEP), 1) * STEP
}

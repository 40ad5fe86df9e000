/**
 * A colour in OKLab, where equal steps look equal: lightness 0 to 1, and two axes of tint around 0.
 */
export type Lab = readonly [lightness: number, a: number, b: number]
/** Red, green and blue, 0 to 255, not rounded. */
export type Rgb = readonly [red: number, green: number, blue: number]

/** `lightness` 0 to 1, `chroma` 0 to about 0.3, `hue` in degrees. */
export function lch(lightness: number, chroma: number, hue: number): Lab {
  const angle = (hue * Math.PI) / 180
  return [lightness, chroma * Math.cos(angle), chroma * Math.sin(angle)]
}

/** The colour at `share` (0 to 1) of the way from one to the other. */
export function between(from: Lab, to: Lab, share: number): Lab {
  return [
    from[0] + (to[0] - from[0]) * share,
    from[1] + (to[1] - from[1]) * share,
    from[2] + (to[2] - from[2]) * share,
  ]
}

export function toRgb([lightness, a, b]: Lab): Rgb {
  const long = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b) ** 3
  const medium = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b) ** 3
  const short = (lightness - 0.089_484_177_5 * a - 1.291_485_548 * b) ** 3
  return [
    toByte(4.076_741_662_1 * long - 3.307_711_591_3 * medium + 0.230_969_929_2 * short),
    toByte(-1.268_438_004_6 * long + 2.609_757_401_1 * medium - 0.341_319_396_5 * short),
    toByte(-0.004_196_086_3 * long - 0.703_418_614_7 * medium + 1.707_614_701 * short),
  ]
}

/** Linear light to the sRGB curve; what is outside the gamut is cut off. */
function toByte(light: number): number {
  if (light <= 0) return 0
  if (light >= 1) return 255
  return 255 * (light <= 0.003_130_8 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055)
}

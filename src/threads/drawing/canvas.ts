import { type Lab, type Rgb, toRgb } from './colour'

/** Three bytes a pixel (red, green, blue), rows from the top, no padding. */
export type Canvas = { width: number; height: number; pixels: Uint8Array }
export type Box = { left: number; top: number; width: number; height: number }

export function createCanvas(width: number, height: number): Canvas {
  return { width, height, pixels: new Uint8Array(width * height * 3) }
}

/** Lays `colour` over one pixel; outside the canvas nothing happens. */
export function blend(canvas: Canvas, x: number, y: number, colour: Rgb, alpha: number): void {
  if (x < 0 || y < 0 || x >= canvas.width || y >= canvas.height) return
  const { pixels } = canvas
  const at = (y * canvas.width + x) * 3
  for (let channel = 0; channel < 3; channel++) {
    const below = pixels[at + channel] ?? 0
    pixels[at + channel] = Math.round(below + ((colour[channel] ?? 0) - below) * alpha)
  }
}

/** A rectangle whose corners are arcs of `radius` pixels with smooth edges. */
export function fillRounded(
  canvas: Canvas,
  { left, top, width, height }: Box,
  radius: number,
  colour: Lab,
  alpha: number,
): void {
  const rgb = toRgb(colour)
  for (let y = 0; y < height; y++) {
    const outsideY = Math.max(radius - y - 0.5, y + 0.5 - (height - radius), 0)
    for (let x = 0; x < width; x++) {
      const outsideX = Math.max(radius - x - 0.5, x + 0.5 - (width - radius), 0)
      const cover = cornerCover(outsideX, outsideY, radius)
      if (cover > 0) blend(canvas, left + x, top + y, rgb, alpha * cover)
    }
  }
}

/** How much of a pixel lies inside: only where both distances count are we in a corner. */
function cornerCover(outsideX: number, outsideY: number, radius: number): number {
  if (outsideX === 0 || outsideY === 0) return 1
  return Math.min(Math.max(radius + 0.5 - Math.hypot(outsideX, outsideY), 0), 1)
}

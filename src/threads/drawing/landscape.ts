import { blend, type Canvas } from './canvas'
import { between, type Lab, toRgb } from './colour'
import type { Palette } from './palette'
import type { Random } from './random'

/** A sky with soft glows, a sun, and ridges that fade into the distance. Fills the whole canvas. */
export function paintLandscape(canvas: Canvas, palette: Palette, random: Random): void {
  const sun = placeSun(canvas, random)
  paintSky(canvas, palette, sun, random)
  if (palette.hasStars) paintStars(canvas, palette, random)
  paintDisc(canvas, palette, sun)
  paintRidges(canvas, palette, random)
}

type Disc = { x: number; y: number; radius: number }

/**
 * Colours of the sky are exact at every eighth pixel and on straight lines between: nobody sees it,
 * and it spares every pixel its roots and exponentials.
 */
const CELL = 8
const STARS_A_MEGAPIXEL = 260

function placeSun({ width, height }: Canvas, random: Random): Disc {
  const short = Math.min(width, height)
  return {
    x: width * random.between(0.2, 0.8),
    y: height * random.between(0.2, 0.42),
    radius: short * random.between(0.075, 0.14),
  }
}

function paintSky(canvas: Canvas, palette: Palette, sun: Disc, random: Random): void {
  const { width, height, pixels } = canvas
  const columns = Math.ceil(width / CELL) + 1
  const rows = Math.ceil(height / CELL) + 1
  const grid = skyGrid(canvas, palette, sun, random, columns, rows)
  const line = new Float64Array(columns * 3)
  for (let y = 0, at = 0; y < height; y++) {
    const upper = Math.floor(y / CELL) * columns * 3
    const share = (y % CELL) / CELL
    for (let index = 0; index < line.length; index++) {
      const above = grid[upper + index] ?? 0
      line[index] = above + ((grid[upper + columns * 3 + index] ?? 0) - above) * share
    }
    for (let x = 0; x < width; x++) {
      const left = ((x / CELL) | 0) * 3
      const part = (x % CELL) / CELL
      for (let channel = 0; channel < 3; channel++) {
        const from = line[left + channel] ?? 0
        pixels[at++] = from + ((line[left + 3 + channel] ?? 0) - from) * part + 0.5
      }
    }
  }
}

function skyGrid(
  { width, height }: Canvas,
  palette: Palette,
  sun: Disc,
  random: Random,
  columns: number,
  rows: number,
): Float64Array {
  const glows = palette.glows.map(colour => ({
    colour,
    x: width * random.between(-0.1, 1.1),
    y: height * random.between(-0.1, 0.6),
    radius: Math.max(width, height) * random.between(0.2, 0.42),
    strength: random.between(0.35, 0.75),
  }))
  const grid = new Float64Array(columns * rows * 3)
  for (let row = 0, at = 0; row < rows; row++) {
    const y = row * CELL
    const base = skyAt(palette, y / height)
    for (let column = 0; column < columns; column++) {
      const x = column * CELL
      let colour = base
      for (const glow of glows) {
        const distance = ((x - glow.x) ** 2 + (y - glow.y) ** 2) / glow.radius ** 2
        colour = between(colour, glow.colour, glow.strength * Math.exp(-distance))
      }
      const reach = Math.hypot(x - sun.x, y - sun.y) / (sun.radius * 2.4)
      colour = between(colour, palette.sun, 0.6 * Math.exp(-reach))
      const [red, green, blue] = toRgb(colour)
      grid[at++] = red
      grid[at++] = green
      grid[at++] = blue
    }
  }
  return grid
}

/**
 * `depth` is 0 at the top of the picture and 1 at its foot; the horizon is behind the farthest
 * ridge.
 */
function skyAt(palette: Palette, depth: number): Lab {
  const horizon = 0.66
  const share = Math.min(depth / horizon, 1)
  const upper = between(palette.skyTop, palette.skyMiddle, share)
  return between(upper, between(palette.skyMiddle, palette.horizon, share), share)
}

function paintStars(canvas: Canvas, palette: Palette, random: Random): void {
  const { width, height } = canvas
  const white = toRgb(palette.ink)
  const count = Math.round((width * height * STARS_A_MEGAPIXEL) / 1_000_000)
  for (let index = 0; index < count; index++) {
    const x = Math.floor(random.next() * width)
    const height01 = random.next() ** 1.6
    const y = Math.floor(height01 * height * 0.5)
    const light = random.between(0.25, 0.95) * (1 - height01)
    blend(canvas, x, y, white, light)
    if (light < 0.6) continue
    for (const [dx, dy] of [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ] as const) {
      blend(canvas, x + dx, y + dy, white, light * 0.35)
    }
  }
}

function paintDisc(canvas: Canvas, palette: Palette, { x, y, radius }: Disc): void {
  const rgb = toRgb(palette.sun)
  for (let row = Math.floor(y - radius - 1); row <= y + radius + 1; row++) {
    for (let column = Math.floor(x - radius - 1); column <= x + radius + 1; column++) {
      const cover = radius + 0.5 - Math.hypot(column + 0.5 - x, row + 0.5 - y)
      if (cover > 0) blend(canvas, column, row, rgb, Math.min(cover, 1) * 0.94)
    }
  }
}

function paintRidges(canvas: Canvas, palette: Palette, random: Random): void {
  const count = palette.ridges.length
  const layers = palette.ridges.map((colour, index) => {
    const nearness = index / (count - 1)
    return {
      edge: ridgeLine(canvas, nearness, random),
      shades: mist(colour, palette.haze, canvas.height, 0.55 - 0.35 * nearness),
    }
  })
  for (const { edge, shades } of layers) fillBelow(canvas, edge, shades)
}

/**
 * The height of the ridge at each column: a few waves, the farther the lower, the steeper and the
 * denser.
 */
function ridgeLine({ width, height }: Canvas, nearness: number, random: Random): Float64Array {
  const base = height * (0.56 + 0.32 * nearness + random.between(-0.02, 0.02))
  const swing = height * (0.045 + 0.04 * nearness)
  const span = width / Math.max(width, height)
  const waves = [1.3, 2.9, 6.1, 12.7].map((frequency, index) => ({
    frequency: frequency * span * random.between(0.8, 1.25) * (1.6 - 0.8 * nearness),
    phase: random.between(0, 2 * Math.PI),
    weight: 0.62 ** (index * (1 + nearness * 0.8)),
    isSharp: index >= 1 && nearness < 0.6,
  }))
  const edge = new Float64Array(width)
  for (let x = 0; x < width; x++) {
    let rise = 0
    for (const { frequency, phase, weight, isSharp } of waves) {
      const angle = (x / width) * frequency * 2 * Math.PI + phase
      rise += weight * (isSharp ? 1 - 2 * Math.abs(Math.sin(angle / 2)) : Math.sin(angle))
    }
    edge[x] = base - swing * rise
  }
  return edge
}

/** The colour of a ridge at each pixel below its edge: its foot stands in the haze. */
function mist(colour: Lab, haze: Lab, height: number, strength: number): Uint8Array {
  const shades = new Uint8Array(height * 3)
  for (let depth = 0; depth < height; depth++) {
    const share = 1 - Math.exp((-depth / height) * 5)
    const [red, green, blue] = toRgb(between(colour, haze, share * strength))
    shades[depth * 3] = red + 0.5
    shades[depth * 3 + 1] = green + 0.5
    shades[depth * 3 + 2] = blue + 0.5
  }
  return shades
}

function fillBelow(canvas: Canvas, edge: Float64Array, shades: Uint8Array): void {
  const { width, height, pixels } = canvas
  const highest = Math.max(Math.floor(edge.reduce((a, b) => Math.min(a, b))), 0)
  for (let y = highest; y < height; y++) {
    for (let x = 0, at = y * width * 3; x < width; x++, at += 3) {
      const depth = y + 1 - (edge[x] ?? height)
      if (depth <= 0) continue
      const shade = (depth | 0) * 3
      const cover = Math.min(depth, 1)
      for (let channel = 0; channel < 3; channel++) {
        const below = pixels[at + channel] ?? 0
        pixels[at + channel] = below + ((shades[shade + channel] ?? 0) - below) * cover + 0.5
      }
    }
  }
}

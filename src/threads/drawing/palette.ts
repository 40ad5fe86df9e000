import { between, type Lab, lch } from './colour'
import { createRandom } from './random'

export type Palette = {
  skyTop: Lab
  skyMiddle: Lab
  horizon: Lab
  sun: Lab
  /** Soft patches of the sky. */
  glows: Lab[]
  /** From the farthest ridge to the nearest. */
  ridges: Lab[]
  /** What distance fades into. */
  haze: Lab
  panel: Lab
  ink: Lab
  accent: Lab
  hasStars: boolean
}

/** One and the same prompt always has the same colours, whatever the seed. */
export function paletteOf(promptHash: number): Palette {
  const random = createRandom(promptHash)
  const hue = random.between(BLUE_GREEN, PURPLE)
  const warmHue = random.between(ROSE, GOLD)
  const mood = pick(MOODS, random.next())
  const horizon = lch(mood.horizon, 0.115, warmHue)
  const far = between(horizon, lch(mood.far, 0.09, hue), 0.6)
  const near = lch(mood.near, 0.05, hue - 10)
  return {
    skyTop: lch(mood.top, 0.11, hue),
    skyMiddle: lch(mood.middle, 0.12, hue + shortestTurn(hue, warmHue) * 0.35),
    horizon,
    sun: lch(mood.sun, 0.07, warmHue),
    glows: [
      lch(mood.middle + 0.1, 0.14, warmHue - 20),
      lch(mood.top + 0.12, 0.13, hue + 30),
      lch(mood.middle, 0.13, hue - 20),
    ],
    ridges: Array.from({ length: RIDGES }, (_, index) => between(far, near, index / (RIDGES - 1))),
    haze: between(horizon, far, 0.35),
    panel: lch(0.16, 0.03, hue),
    ink: lch(0.98, 0.01, warmHue),
    accent: lch(0.84, 0.11, warmHue),
    hasStars: mood.hasStars,
  }
}

const RIDGES = 5

/**
 * Hues in degrees. Skies go from blue-green to purple and light from rose to gold: any two of them
 * go well together.
 */
const BLUE_GREEN = 190
const PURPLE = 335
const ROSE = 5
const GOLD = 88

type Mood = Record<'top' | 'middle' | 'horizon' | 'sun' | 'far' | 'near', number> & {
  hasStars: boolean
}

/** Lightness from the top of the sky down to the nearest ridge. */
const MOODS: readonly [Mood, ...Mood[]] = [
  { top: 0.66, middle: 0.79, horizon: 0.92, sun: 0.985, far: 0.72, near: 0.34, hasStars: false },
  { top: 0.44, middle: 0.63, horizon: 0.86, sun: 0.97, far: 0.58, near: 0.22, hasStars: false },
  { top: 0.3, middle: 0.5, horizon: 0.79, sun: 0.95, far: 0.5, near: 0.17, hasStars: true },
  { top: 0.19, middle: 0.33, horizon: 0.6, sun: 0.94, far: 0.38, near: 0.13, hasStars: true },
]

function pick<T>(choices: readonly [T, ...T[]], share: number): T {
  return choices[Math.floor(share * choices.length)] ?? choices[0]
}

/**
 * Degrees from one hue to another the short way round, so that the sky does not pass through every
 * colour.
 */
function shortestTurn(from: number, to: number): number {
  return ((((to - from + 180) % 360) + 360) % 360) - 180
}

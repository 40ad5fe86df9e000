/**
 * Numbers from 0 up to 1, always the same ones for the same seed. For pictures, never for secrets.
 */
export type Random = {
  next(): number
  between(low: number, high: number): number
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return scramble(state) / 2 ** 32
  }
  return { next, between: (low, high) => low + (high - low) * next() }
}

/** 32 bits that change throughout when any character changes. */
export function hashText(text: string): number {
  let hash = text.length
  for (let index = 0; index < text.length; index++) {
    hash = scramble(hash ^ Math.imul(text.charCodeAt(index) + 1, 0x9e37_79b1))
  }
  return hash
}

/** Folds further numbers into a hash: a seed may have up to 53 bits, so both halves count. */
export function mix(hash: number, value: number): number {
  const low = value >>> 0
  const high = Math.floor(value / 2 ** 32) >>> 0
  return scramble(scramble(hash ^ low) + high)
}

/**
 * A linear sequence has poor low bits; two rounds of shift and multiply spread every bit over the
 * word.
 */
function scramble(value: number): number {
  let mixed = value >>> 0
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b_3c6d)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0x297a_2d39)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/**
 * Numbers as fractions of whole ones. A price goes through this from the rule's text to its one rounding at
 * the end, so that 1.1 is eleven tenths and never the float beside it. `d` is at least 1, and neither is ever
 * negative: nothing here takes away, but `beyond`, which stops at zero.
 */
export type Rational = { readonly n: bigint; readonly d: bigint }

export const ZERO: Rational = { n: 0n, d: 1n }
export const ONE: Rational = { n: 1n, d: 1n }

/** What JavaScript writes for a number that is not negative, and what a rule writes in quotes. */
const NUMBER = /^(\d+)(?:\.(\d+))?(?:e([+-]\d{1,3}))?$/

/**
 * Exactly what the digits say. A number that came in as JSON is read by its shortest decimal, which is what
 * its sender wrote. Null for what is negative, endless or no number.
 */
export function rational(value: string | number): Rational | null {
  const [, whole = '', fraction = '', power = '0'] = NUMBER.exec(`${value}`) ?? []
  if (whole === '') return null
  const exponent = BigInt(power) - BigInt(fraction.length)
  const n = BigInt(whole + fraction)
  return exponent < 0n
    ? reduced({ n, d: 10n ** -exponent })
    : reduced({ n: n * 10n ** exponent, d: 1n })
}

export function whole(n: bigint): Rational {
  return { n, d: 1n }
}

export function add(a: Rational, b: Rational): Rational {
  if (a.d === b.d) return { n: a.n + b.n, d: a.d }
  return { n: a.n * b.d + b.n * a.d, d: a.d * b.d }
}

export function times(a: Rational, b: Rational): Rational {
  return { n: a.n * b.n, d: a.d * b.d }
}

export function over(a: Rational, by: bigint): Rational {
  return { n: a.n, d: a.d * by }
}

export function power(a: Rational, exponent: bigint): Rational {
  return { n: a.n ** exponent, d: a.d ** exponent }
}

/** a - b, and zero where b is the larger. */
export function beyond(a: Rational, b: Rational): Rational {
  const n = a.n * b.d - b.n * a.d
  return n > 0n ? { n, d: a.d * b.d } : ZERO
}

export function isMore(a: Rational, b: Rational): boolean {
  return a.n * b.d > b.n * a.d
}

export function least(a: Rational, b: Rational): Rational {
  return isMore(a, b) ? b : a
}

export function most(a: Rational, b: Rational): Rational {
  return isMore(a, b) ? a : b
}

export function roundedUp({ n, d }: Rational): bigint {
  return (n + d - 1n) / d
}

function reduced({ n, d }: Rational): Rational {
  let [a, b] = [n, d]
  while (b > 0n) [a, b] = [b, a % b]
  return { n: n / a, d: d / a }
}

/** For a step that people read: 71.28, and `about 0.333333` where no decimal ends. */
const PLACES = 6
const SCALE = 10n ** BigInt(PLACES)

export function toText({ n, d }: Rational): string {
  const scaled = (n * SCALE) / d
  const fraction = `${scaled % SCALE}`.padStart(PLACES, '0').replace(/0+$/, '')
  const text = `${scaled / SCALE}${fraction === '' ? '' : `.${fraction}`}`
  return (n * SCALE) % d === 0n ? text : `about ${text}`
}

/** How a fraction lies in JSON: `285/4`. Not reduced, which takes longer than everything before it. */
export function toStored({ n, d }: Rational): string {
  return `${n}/${d}`
}

/** Of what `toStored` wrote. */
export function fromStored(text: string): Rational {
  const [n = '', d = ''] = text.split('/')
  return { n: BigInt(n), d: BigInt(d) }
}

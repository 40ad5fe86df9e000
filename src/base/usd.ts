/** Far above any budget, and exact as an integer of micro-USD. */
const DOLLARS = /^(\d{1,9})(?:\.(\d{1,6}))?$/
const MICRO = 1_000_000

/** `12.5` -> 12,500,000: dollars as people write them, as exact micro-USD. Null for anything else. */
export function microUsdOf(text: string): number | null {
  const [, whole, fraction = ''] = DOLLARS.exec(text) ?? []
  if (whole === undefined) return null
  return Number(whole) * MICRO + Number(fraction.padEnd(6, '0'))
}

/** 12,500,000 -> `12.50`: at least cents, and no digit is lost. */
export function usdOf(microUsd: number): string {
  const whole = Math.trunc(microUsd / MICRO)
  const fraction = String(microUsd % MICRO).padStart(6, '0')
  return `${whole}.${fraction.slice(0, 2)}${fraction.slice(2).replace(/0+$/, '')}`
}

/**
 * Micro-USD of an amount in USD, a half rounded up; null when it is no amount, or more than anybody is
 * charged. Digit by digit: times a million a binary fraction such as 0.0000015 is off by a bit, and then on
 * the wrong side of the half.
 */
export function microUsdOf(usd: unknown): number | null {
  if (typeof usd !== 'number' && typeof usd !== 'string') return null
  const parts = /^(\d{1,30})(?:\.(\d{0,30}))?(?:e([+-]?\d{1,2}))?$/i.exec(String(usd).trim())
  if (!parts) return null
  const [, whole = '', fraction = '', exponent = '0'] = parts
  const digits = BigInt(whole + fraction)
  const shift = MICRO_DIGITS + Number(exponent) - fraction.length
  const micro = shift >= 0 ? digits * 10n ** BigInt(shift) : divided(digits, 10n ** BigInt(-shift))
  return micro <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(micro) : null
}

const MICRO_DIGITS = 6

function divided(amount: bigint, by: bigint): bigint {
  return (amount + by / 2n) / by
}

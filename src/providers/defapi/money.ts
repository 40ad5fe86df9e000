/** `"0.0400"` USD as micro-USD, rounded up; null for anything else. No float touches it. */
export function microUsdOf(told: string | number | null | undefined): number | null {
  const [, whole, fraction = ''] = /^(\d{1,9})(?:\.(\d+))?$/.exec(String(told ?? '')) ?? []
  if (whole === undefined) return null
  const micros = Number(whole) * 1_000_000 + Number(fraction.slice(0, 6).padEnd(6, '0'))
  return /[1-9]/.test(fraction.slice(6)) ? micros + 1 : micros
}

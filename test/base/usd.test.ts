import { expect, test } from 'bun:test'
import { microUsdOf, usdOf } from '@/base/usd'

test('dollars become exact micro-USD, and come back', () => {
  const same: [string, number][] = [
    ['0.00', 0],
    ['0.10', 100_000],
    ['1.15', 1_150_000],
    ['4.35', 4_350_000],
    ['0.000001', 1],
    ['12.345678', 12_345_678],
    ['999999999.99', 999_999_999_990_000],
  ]
  for (const [text, microUsd] of same) {
    expect(microUsdOf(text)).toBe(microUsd)
    expect(usdOf(microUsd)).toBe(text)
  }
  expect(microUsdOf('007')).toBe(7_000_000)
})

test('what is no amount is null', () => {
  for (const text of ['', ' 1', '1 ', '-1', '+1', '1e3', '0x10', '1,5', '.5', '5.', '1.0000001']) {
    expect(microUsdOf(text)).toBeNull()
  }
})

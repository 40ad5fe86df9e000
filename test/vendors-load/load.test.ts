import { expect, test } from 'bun:test'
import { isOnceUndisturbed } from '@test/e2e/latency'
import { isCalm, killVendor, SHORT } from './dead-vendor'
import { SHORT as FEW, isPrompt, type Wait, waitForSlowVendor, waitInLine } from './waiting'

const TIMEOUT_MS = 120_000

/**
 * From source only: to meet a vendor on this machine the hub must be given an adapter with its address. The
 * whole minute, and two thousand jobs, are in the long run.
 */
test(
  'a vendor that fails is left alone, the others notice nothing, and it serves again after its rest',
  async () => {
    const isUndisturbed = await isOnceUndisturbed(async () => {
      const report = await killVendor(SHORT)
      expect(report.problems).toEqual([])
      // Five and those that were on their way; then one a rest, of which two are met.
      expect(report.calls).toBeGreaterThan(5)
      expect(report.calls).toBeLessThanOrEqual(14)
      expect(report.callsUnheard).toBe(1)
      return isCalm(report)
    })
    expect(isUndisturbed).toBe(true)
  },
  TIMEOUT_MS,
)

test(
  'jobs that wait at a slow vendor cost no memory, hold nobody up and ask in turn',
  async () => {
    await expectGood(() => waitForSlowVendor(FEW))
  },
  TIMEOUT_MS,
)

test(
  'jobs that wait before a full vendor stand in line, hold nobody up and go when a place is free',
  async () => {
    await expectGood(() => waitInLine(FEW, 16))
  },
  TIMEOUT_MS,
)

async function expectGood(measure: () => Promise<Wait>): Promise<void> {
  const isOncePrompt = await isOnceUndisturbed(async () => {
    const wait = await measure()
    expect(wait.problems).toEqual([])
    return isPrompt(wait)
  })
  expect(isOncePrompt).toBe(true)
}

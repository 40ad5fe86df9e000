import { expect, test } from 'bun:test'
import { isOnceUndisturbed, isUndisturbed, worded } from './latency'
import { workInTheShell } from './shell-beside'

const TIMEOUT_MS = 180_000
/** Two commands each. */
const REVOCATIONS = 20
const GRANTS = 5

test(
  'what the shell changes holds for the next call, and neither freezes the other',
  async () => {
    const isCalm = await isOnceUndisturbed(async () => {
      const { revoked, commands, control, beside, problems } = await workInTheShell({
        revocations: REVOCATIONS,
        grants: GRANTS,
      })
      console.log(`  health beside ${commands} commands: ${worded(beside)}`)
      console.log(`  a process that does nothing: ${worded(control)}`)
      expect(problems).toEqual([])
      expect(revoked).toBe(REVOCATIONS)
      return isUndisturbed(beside, control)
    })
    expect(isCalm).toBe(true)
  },
  TIMEOUT_MS,
)

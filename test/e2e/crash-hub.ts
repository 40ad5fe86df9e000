import { join } from 'node:path'
import type { HubStep } from '@test/support/crash-points'
import type { CrashServerMessage, CrashServerOptions } from '@test/support/crash-server'
import { type RunningHub, startHub, within } from '@test/support/process'
import { MODEL } from './api'
import type { Vendor } from './vendor'

export type CrashHubOptions = {
  folder: string
  vendor: Vendor
  /** Whether the vendor can be asked what became of a start whose answer was lost. */
  canFind: boolean
  /** How far its clock is ahead of ours. */
  laterMs: number
  /** `host:port` of others on this machine that it may call. */
  allowed: string[]
  graceMs?: number
}

export type CrashHub = RunningHub & {
  /** From now on it dies at this step. Resolves when it knows. */
  dieAt(step: HubStep): Promise<void>
}

/** Beyond the deadline of every attempt: whoever could be asked for has been by then. */
export const AFTER_DEADLINE_MS = 11 * 60_000
const LIVENESS_MS = 30_000

/** The real server, put together by a program that adds a vendor and can be told where to die. */
export async function startCrashHub(options: CrashHubOptions): Promise<CrashHub> {
  const { folder, vendor, canFind, laterMs, allowed, graceMs } = options
  const given: CrashServerOptions = {
    vendorOrigin: vendor.origin,
    canFind,
    laterMs,
    models: [MODEL],
    ...(graceMs === undefined ? {} : { graceMs }),
  }
  const armed = Promise.withResolvers<void>()
  const hub = await startHub({
    folder,
    command: [process.execPath, join(import.meta.dir, '../support/crash-server.ts')],
    env: {
      CRASH_SERVER: JSON.stringify(given),
      ALLOW_PRIVATE_DESTINATIONS: [vendor.host, ...allowed].join(),
    },
    onMessage: () => armed.resolve(),
  })
  return {
    ...hub,
    async dieAt(step) {
      hub.send({ dieAt: step } satisfies CrashServerMessage)
      await within(LIVENESS_MS, 'the hub is armed', armed.promise)
    },
  }
}

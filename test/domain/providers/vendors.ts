import { fakeProvider } from '@test/support/fake-provider'
import type { TestHub, TestHubOptions } from '@test/support/test-hub'
import { testHub } from '@test/support/test-hub'
import type { ProviderHealth } from '@/db/schema'
import type { Provider } from '@/providers/spec'

/** One of the shipped names, so that its row and its variable are there, with a check of the test's own. */
export function vendorNamed(name: string, check?: NonNullable<Provider['check']>): Provider {
  const { isKeyless: _, ...provider } = fakeProvider({ name })
  return check ? { ...provider, check } : provider
}

const open = new Set<TestHub>()

/** A hub that claims nothing until its runner is started. */
export async function hubWith(
  providers: Provider[],
  options: Omit<TestHubOptions, 'providers'> = {},
): Promise<TestHub> {
  const hub = await testHub({ isRunning: false, ...options, providers })
  open.add(hub)
  return hub
}

/** For `afterEach`. */
export async function closeHubs(): Promise<void> {
  for (const hub of open) await hub.close()
  open.clear()
}

export type HealthRow = {
  health: ProviderHealth
  health_message: string | null
  checked_at: number | null
  check_failures: number
}

export function healthRow({ deps }: Pick<TestHub, 'deps'>, name: string): HealthRow {
  return deps.db.sqlite
    .query(
      'SELECT health, health_message, checked_at, check_failures FROM providers WHERE name = ?',
    )
    .get(name) as HealthRow
}

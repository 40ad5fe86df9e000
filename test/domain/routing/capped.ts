import { rows, type Stage, stage } from '@test/domain/jobs/stage'
import { bytes, done, type FakeProvider, fakeProvider, picture } from '@test/support/fake-provider'
import type { JobId } from '@/base/ids'
import type { Pool } from '@/queue/task'

/** A vendor that counts what it works on: from the call of a start until it says that it ended. */
export type CountingVendor = FakeProvider & { readonly open: Set<string>; most: number }

/** Works 2 s on each picture, unless it is scripted otherwise. */
export function countingVendor(name: string): CountingVendor {
  const open = new Set<string>()
  const vendor: CountingVendor = Object.assign(fakeProvider({ name }), { open, most: 0 })
  const { start, poll, cancel } = vendor
  const references = new Map<unknown, string>()
  const watch = async <T extends { state: string }>(reference: string, act: () => Promise<T>) => {
    try {
      const result = await act()
      if (result.state === 'done') open.delete(reference)
      return result
    } catch (error) {
      open.delete(reference)
      throw error
    }
  }
  vendor.start = (input, context) => {
    const { reference } = context
    open.add(reference)
    vendor.most = Math.max(vendor.most, open.size)
    return watch(reference, async () => {
      const result = await start(input, context)
      if (result.state === 'pending') references.set(result.operation.id, reference)
      return result
    })
  }
  vendor.poll = (operation, context) =>
    watch(references.get(operation.id) ?? '', async () => {
      if (!poll) throw new Error('a fake vendor can be polled')
      return await poll(operation, context)
    })
  vendor.cancel = async (operation, context) => {
    await cancel?.(operation, context)
    open.delete(references.get(operation.id) ?? '')
  }
  vendor.script(worksFor(2_000))
  return vendor
}

export function worksFor(ms: number) {
  const end = done(bytes(picture())).done
  return { start: 'pending' as const, pollAfterMs: ms, polls: [end] }
}

/** A stage on which each vendor may work on as many as it says. */
export async function cappedStage(
  vendors: CountingVendor[],
  caps: (number | null)[],
  bounds: Partial<Record<Pool, number>> = {},
) {
  const on = await stage({
    providers: vendors,
    webhookUrl: null,
    tokens: 10_000,
    hub: { bounds },
  })
  for (const [index, { name }] of vendors.entries()) setCap(on, name, caps[index] ?? null)
  return on
}

export function setCap(on: Stage, provider: string, cap: number | null) {
  on.deps.db.sqlite.run(
    `UPDATE model_routes SET max_concurrent = ?
     WHERE provider_id = (SELECT id FROM providers WHERE name = ?)`,
    [cap, provider],
  )
  on.deps.cache.clear()
}

/** The jobs in the order in which they began. */
export function began(on: Stage): JobId[] {
  return rows<{ job: JobId }>(on, 'SELECT job_id AS job FROM attempts ORDER BY id').map(
    row => row.job,
  )
}

/** Seconds from `since` until each of them began. */
export function beganAfter(on: Stage, since: number): number[] {
  return rows<{ at: number }>(on, 'SELECT started_at AS at FROM attempts ORDER BY id').map(
    ({ at }) => (at - since) / 1_000,
  )
}

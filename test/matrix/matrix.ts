import { table } from '@test/e2e/table'
import type { Bench } from './bench'
import { COLUMNS } from './columns'
import { type Outcome, openColumn, type Stand } from './rig'

/**
 * Every fault against each of the vendors, all hubs side by side in this process: most of the time they
 * wait for a date or a deadline. They begin when all of them stand. The seed says where answers break off.
 */
export async function runMatrix(benches: readonly Bench[], seed: number): Promise<Outcome[]> {
  const random = seeded(seed)
  const stands: Stand[] = []
  try {
    for (const column of COLUMNS) stands.push(await openColumn(column, benches, random))
    const columns = await Promise.all(stands.map(stand => stand.run()))
    return columns.flat()
  } finally {
    await Promise.all(stands.map(stand => stand.close()))
  }
}

/** A line for each fault, and in it how the job of each vendor ended and after how many seconds. */
export function matrixTable(outcomes: readonly Outcome[]): string {
  const labels = [...new Set(outcomes.map(({ label }) => label))]
  const names = [...new Set(outcomes.map(({ column }) => column))]
  const rows = names.map(name => [
    name,
    ...labels.map(label => {
      const outcome = outcomes.find(one => one.column === name && one.label === label)
      return outcome ? worded(outcome) : '-'
    }),
  ])
  return table(['fault', ...labels], rows)
}

/** Who served, or why the tokens went back; how often the vendor was asked to begin where not once. */
function worded({ seen, problems }: Outcome): string {
  const { status, attempts, errorCode, vendorStarts, ms } = seen
  const isOther = attempts.at(-1)?.startsWith('other') ?? false
  const end = status === 'succeeded' ? (isOther ? 'other' : 'done') : (errorCode ?? status)
  const short = SHORT[end] ?? end
  const starts = vendorStarts === 1 ? '' : ` x${vendorStarts}`
  return `${problems.length > 0 ? '!' : ''}${short}${starts} ${(ms / 1_000).toFixed(1)}`
}

const SHORT: { [end: string]: string } = { timeout: 'refund', content_rejected: 'blocked' }

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

import { sha256Hex } from '@/base/secrets'

/** What a seed may change of a row, and nothing else: the columns that it wrote. */
export type Columns = Record<string, string | number | null>

/** A row as the seed reads it: those columns, and the hash of what a seed last wrote into them. */
export type Seeded<C extends Columns> = C & { id: number; seed_hash: string | null }

/** Why the statements of a seed may read their tables whole. */
export const SMALL = { mayScan: 'the catalogue is small, and it is read once a start' }

/** The seed says something new, and the row still says what a seed wrote: no operator changed it. */
export function mayFollow(columns: Columns, seedHash: string | null, newHash: string): boolean {
  // At nearly every start the first is false, which spares hashing what is there.
  return seedHash !== newHash && seedHash === hashOf(columns)
}

/**
 * The same columns in any order have one hash. What is null is left out, so that a row of before a column
 * came still has the hash that it had.
 */
export function hashOf(columns: Columns): string {
  const said = Object.entries(columns).filter(([, value]) => value !== null)
  return sha256Hex(JSON.stringify(said.sort(([a], [b]) => (a < b ? -1 : 1))))
}

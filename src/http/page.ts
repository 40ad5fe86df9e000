import { invalidInput } from '@/base/errors'
import { formatId, type PublicKind, parseId } from '@/base/ids'

/** `?cursor=` is an id; a list shows what is older. Throws 400 for anything that is not one of this list's. */
export function beforeOf(kind: PublicKind, cursor: string | undefined): number {
  if (cursor === undefined) return Number.MAX_SAFE_INTEGER
  const id = parseId(kind, cursor)
  if (id === null) throw invalidInput('cursor', 'must be the next_cursor of an earlier page')
  return id
}

/** From one row more than was asked for: the page, and where the next begins. */
export function pageOf<T extends { id: number }>(
  kind: PublicKind,
  rows: T[],
  limit: number,
  present: (row: T) => unknown,
) {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const hasMore = rows.length > limit
  return {
    data: shown.map(present),
    has_more: hasMore,
    next_cursor: hasMore && last ? formatId(kind, last.id) : null,
  }
}

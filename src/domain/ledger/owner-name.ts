import type { Db } from '@/db/open'
import { query } from '@/db/statements'

const select = query<{ id: number }, { name: string }>(
  `SELECT 'user ' || coalesce(u.external_id, 'erased, ' || u.id) || ' of ' || a.slug || ' (' || r.mode || ')' AS name
   FROM users u CROSS JOIN realms r ON r.id = u.realm_id CROSS JOIN apps a ON a.id = r.app_id
   WHERE u.id = $id`,
)

/** Whose tokens these are, for people: of all apps and both modes. */
export function ownerName(db: Db, userId: number): string | null {
  return select.get(db, { id: userId })?.name ?? null
}

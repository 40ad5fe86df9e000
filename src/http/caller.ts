import type { KeyId, UserId } from '@/base/ids'
import type { Actor, Deps, Realm } from '@/deps'
import type { KeyOfApp } from '@/domain/apps'
import * as users from '@/domain/users'

/**
 * Who calls, as far as it is proven. `asserted`: a trusted server, or anybody in test mode, says so;
 * `signed`: by a token that the app's server asked us for.
 */
export type Caller = {
  realm: Realm
  key: { id: KeyId; kind: KeyOfApp['kind'] }
  limits: { perUser: number; perApp: number }
  user: { externalId: string; proof: 'asserted' | 'signed' } | null
}

/** Whose things this call may see. Null: it names a user that does not exist, so there is nothing to see. */
export function scopeOf(
  deps: Deps,
  caller: Caller,
): { realmId: Realm['id']; userId: UserId | null } | null {
  if (!caller.user) return { realmId: caller.realm.id, userId: null }
  const user = users.findByExternalId(deps.db, caller.realm.id, caller.user.externalId)
  return user ? { realmId: caller.realm.id, userId: user.id } : null
}

/** A welcome grant is for people somebody vouches for: a server, a signed token, or a test. */
export function mayHaveWelcomeGrant(caller: Caller): boolean {
  return (
    caller.key.kind === 'secret' || caller.user?.proof === 'signed' || caller.realm.mode === 'test'
  )
}

export function actorOf(caller: Caller, request: { ip: string; requestId: string }): Actor {
  return {
    kind: 'key',
    id: String(caller.key.id),
    keyId: caller.key.id,
    realm: caller.realm,
    ip: request.ip,
    requestId: request.requestId,
  }
}

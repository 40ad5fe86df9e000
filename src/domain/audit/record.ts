import { command } from '@/db/statements'
import type { Tx } from '@/db/write'
import type { Actor } from '@/deps'

const insert = command<{
  id: number
  actorKind: string
  actorId: string
  realmId: number | null
  action: string
  subject: string
  details: string
  ip: string | null
  requestId: string | null
  now: number
}>(
  `INSERT INTO audit_log (id, actor_kind, actor_id, realm_id, action, subject, details, ip, request_id, created_at)
   VALUES ($id, $actorKind, $actorId, $realmId, $action, $subject, $details, $ip, $requestId, $now)`,
)

/**
 * Who changed what, in the transaction of the change. `details` never holds a secret, nor anything that
 * says who a person is: erasing a person must not need to rewrite this table.
 */
export function record(
  tx: Tx,
  actor: Actor,
  action: string,
  subject: string,
  details: Record<string, unknown> = {},
): void {
  insert.run(tx, {
    id: tx.id(),
    actorKind: actor.kind,
    actorId: actor.id,
    realmId: actor.realm?.id ?? null,
    action,
    subject,
    details: JSON.stringify(details),
    ip: actor.ip ?? null,
    requestId: actor.requestId ?? null,
    now: tx.now,
  })
}

import { AppError } from '@/base/errors'
import { formatId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import { command } from '@/db/statements'
import { write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { record } from '@/domain/audit'
import { once, type Scope } from '@/domain/idempotency'
import { ensure } from './ensure'
import { findByExternalId, findById, type User } from './find'

export type UserChange = { metadata?: Record<string, string>; isActive?: boolean }

const save = command<{ id: number; metadata: string; isActive: number; now: number }>(
  'UPDATE users SET metadata = $metadata, is_active = $isActive, updated_at = $now WHERE id = $id',
)

/**
 * Makes the user or finds it there; metadata given for a known user replaces what it had. Throws 404 when
 * an earlier answer is asked for again and its user was erased since.
 */
export async function create(
  deps: Deps,
  realm: Realm,
  input: { externalId: string; metadata?: Record<string, string> },
  scope: Scope | null,
): Promise<{ user: User; isNew: boolean; isReplay: boolean }> {
  return await write(deps.db, tx => {
    const result = once(tx, scope, () => {
      const { user, isNew } = ensure(tx, deps.secrets, {
        realm,
        externalId: input.externalId,
        mayHaveWelcomeGrant: true,
        ...(input.metadata ? { metadata: JSON.stringify(input.metadata) } : {}),
      })
      if (!isNew && input.metadata) {
        const metadata = JSON.stringify(input.metadata)
        save.run(tx, { id: user.id, metadata, isActive: user.isActive, now: tx.now })
      }
      return { status: isNew ? 201 : 200, answer: numbersOf(user) }
    })
    const { answer } = result
    const user = findById(tx, realm.id, answer.id)
    // The answer that was kept may be about a person who was erased since.
    if (!user || user.externalId === null) throw new AppError('not_found')
    return { user: { ...user, ...answer }, isNew: result.status === 201, isReplay: result.isReplay }
  })
}

/** What a repeated call says again as it was. Nothing of the person is kept beside the user's own row. */
function numbersOf({ id, balance, reserved, totalJobs, successfulJobs, isActive }: User) {
  return { id, balance, reserved, totalJobs, successfulJobs, isActive }
}

/** Throws 404 when the app has no such user. */
export async function update(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  externalId: string,
  change: UserChange,
): Promise<User> {
  return await write(deps.db, tx => {
    const user = findByExternalId(tx, realm.id, externalId)
    if (!user) throw new AppError('not_found')
    save.run(tx, {
      id: user.id,
      metadata: change.metadata ? JSON.stringify(change.metadata) : user.metadata,
      isActive: change.isActive === undefined ? user.isActive : Number(change.isActive),
      now: tx.now,
    })
    record(tx, actor, 'user.update', formatId('user', user.id), { fields: Object.keys(change) })
    const saved = findById(tx, realm.id, user.id)
    invariant(saved, 'the user was just saved')
    return saved
  })
}

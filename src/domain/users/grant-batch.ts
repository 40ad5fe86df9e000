import { AppError, type InputProblem, invalidInput } from '@/base/errors'
import { formatId } from '@/base/ids'
import { write } from '@/db/write'
import type { Actor, Deps, Realm } from '@/deps'
import { record } from '@/domain/audit'
import { debtPaidBy, type Entry, entriesByKeyPrefix, grant, type Origin } from '@/domain/ledger'
import { ensure } from './ensure'
import { givenAs } from './given-as'

export type BatchGrant = {
  externalId: string
  amount: number
  reason: string
  /** Absent: bought. */
  origin?: Origin | undefined
  /** Milliseconds; absent: never. */
  expiresAt?: number | undefined
}
export type BatchAnswer = {
  /** `balanceAfter` is that of the grant; a debt that it paid at once is taken off after it. */
  entries: (Pick<Entry, 'id' | 'amount' | 'balanceAfter'> & { debtPaid: number })[]
  isReplay: boolean
}

/** Items sort as text inside the ledger's key index. */
const ITEM_DIGITS = 4

/** All or nothing, in one write. Answers one entry for each grant, in order. */
export async function grantBatch(
  deps: Deps,
  actor: Actor,
  realm: Realm,
  grants: BatchGrant[],
  idempotency: { key: string; hash: string } | null,
): Promise<BatchAnswer> {
  return await write(deps.db, tx => {
    const prefix = idempotency ? prefixOf(realm, idempotency.key) : null
    const kept = prefix ? entriesByKeyPrefix(tx, prefix) : []
    if (kept[0]) {
      if (kept[0].requestHash !== idempotency?.hash) throw new AppError('idempotency_mismatch')
      return {
        entries: kept.map(entry => ({ ...entry, debtPaid: debtPaidBy(tx, entry.id) })),
        isReplay: true,
      }
    }
    const entries = grants.map((item, index) => {
      const { user } = ensure(tx, deps.secrets, {
        realm,
        externalId: item.externalId,
        mayHaveWelcomeGrant: true,
      })
      const key = prefix ? `${prefix}${String(index).padStart(ITEM_DIGITS, '0')}` : null
      const made = grantAt(index, () =>
        grant(tx, {
          realmId: realm.id,
          userId: user.id,
          amount: item.amount,
          ...givenAs(tx.now, { ...item, type: 'GRANT' }),
          description: item.reason,
          ...(key && idempotency ? { idempotency: { key, hash: idempotency.hash } } : {}),
        }),
      )
      return {
        id: made.entryId,
        amount: item.amount,
        balanceAfter: made.previousBalance + item.amount,
        debtPaid: made.debtPaid,
      }
    })
    const total = grants.reduce((sum, item) => sum + item.amount, 0)
    record(tx, actor, 'tokens.batch', formatId('app', realm.appId), {
      grants: grants.length,
      total,
    })
    return { entries, isReplay: false }
  })
}

/**
 * The key is encoded so that none can look like another key's item. A key may be cut inside a surrogate
 * pair, which cannot be encoded; SQLite would store the same replacement character for it.
 */
function prefixOf(realm: Realm, key: string): string {
  return `${realm.id}:batch:${encodeURIComponent(key.toWellFormed())}#`
}

/** An error inside item 7 names item 7. */
function grantAt<T>(index: number, act: () => T): T {
  try {
    return act()
  } catch (error) {
    const [problem] = error instanceof AppError ? problemsOf(error) : []
    if (problem) throw invalidInput(`grants.${index}.${problem.path}`, problem.message)
    throw error
  }
}

function problemsOf(error: AppError): InputProblem[] {
  return error.code === 'invalid_input' ? (error.detail.details as InputProblem[]) : []
}

import { AppError } from '@/base/errors'
import { isExternalId } from '@/domain/users'
import type { Caller } from './caller'

/**
 * The user that a path names; `me` is the user of the call. A call that speaks for one user sees only
 * that one: any other is a 404, as if it did not exist.
 */
export function pathUser(caller: Caller, params: Record<string, string>): string {
  const text = decoded(params.external_id ?? '')
  if (text === 'me') {
    if (!caller.user) throw new AppError('missing_user')
    return caller.user.externalId
  }
  if (text === null || !isExternalId(text)) throw new AppError('not_found')
  mustBeAbout(caller, text)
  return text
}

/** For users whom a body names: the same 404. */
export function mustBeAbout(caller: Caller, externalId: string): void {
  const isOther = caller.user !== null && caller.user.externalId !== externalId
  if (isOther) throw new AppError('not_found')
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

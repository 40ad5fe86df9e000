import { AppError } from '@/base/errors'
import type { Deps } from '@/deps'
import { findKey, type KeyOfApp, noteUse } from '@/domain/apps'
import { isExternalId } from '@/domain/users'
import type { Caller } from './caller'
import { readUserToken } from './user-token'

/**
 * The only reader of credentials. Throws 401 for a key or user that is missing or wrong, 403
 * `app_disabled`.
 */
export async function authenticate(deps: Deps, headers: Headers): Promise<Caller> {
  const key = findKey(deps, keyText(headers))
  if (!key) throw new AppError('invalid_api_key')
  if (!key.isEnabled) throw new AppError('app_disabled')
  noteUse(deps, key.keyId)

  return {
    realm: key.realm,
    key: { id: key.keyId, kind: key.kind },
    limits: { perUser: key.rateLimitPerUser, perApp: key.rateLimitPerApp },
    user: await userOf(deps, key, headers),
  }
}

function keyText(headers: Headers): string {
  const plain = headers.get('x-api-key')
  const authorization = headers.get('authorization')
  const bearer = authorization?.match(/^Bearer +(\S+)$/i)?.[1] ?? null
  if (plain === null && authorization === null) throw new AppError('missing_api_key')
  if (plain !== null && bearer !== null && plain !== bearer) throw new AppError('invalid_api_key')
  return plain ?? bearer ?? ''
}

/** A publishable live key is in every copy of the app: what it says of the user needs the server's signature. */
async function userOf(
  deps: Deps,
  key: Pick<KeyOfApp, 'realm' | 'kind'>,
  headers: Headers,
): Promise<Caller['user']> {
  const asserted = headers.get('x-user-id')
  const token = headers.get('x-user-token')
  if (asserted !== null && !isExternalId(asserted)) throw badUserId()
  if (token !== null) {
    const externalId = await readUserToken(deps, key.realm.id, token)
    if (!externalId || (asserted !== null && asserted !== externalId)) {
      throw new AppError('invalid_user_token')
    }
    return { externalId, proof: 'signed' }
  }
  if (asserted === null) return null
  if (key.kind === 'publishable' && key.realm.mode === 'live')
    throw new AppError('missing_user_token')
  return { externalId: asserted, proof: 'asserted' }
}

function badUserId(): AppError {
  return new AppError('invalid_input', {
    detail: {
      details: [
        {
          path: 'X-User-ID',
          message: 'must be 1 to 128 of A-Z a-z 0-9 - _ . : @ | + = ~, and not a reserved word',
        },
      ],
    },
  })
}

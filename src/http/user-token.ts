import { jwtVerify, SignJWT } from 'jose'
import { MINUTE } from '@/base/clock'
import type { RealmId } from '@/base/ids'
import type { Deps } from '@/deps'

/** Short: a lost phone stops in a quarter of an hour. */
export const USER_TOKEN_MS = 15 * MINUTE
const ALGORITHM = 'HS256'

/** A token for one user of one realm, for an app that ships a publishable key. */
export async function makeUserToken(
  deps: Deps,
  realmId: RealmId,
  externalId: string,
): Promise<{ token: string; expiresAt: number }> {
  const now = deps.clock.wall()
  const expiresAt = now + USER_TOKEN_MS
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
    .setSubject(externalId)
    .setAudience(audience(realmId))
    .setIssuedAt(Math.floor(now / 1000))
    .setExpirationTime(Math.floor(expiresAt / 1000))
    .sign(deps.secrets.subkey('user-tokens'))
  return { token, expiresAt }
}

/** The user that a token of this realm names; null when it is forged, ended or of another realm. */
export async function readUserToken(
  deps: Deps,
  realmId: number,
  token: string,
): Promise<string | null> {
  try {
    const { payload } = await jwtVerify(token, deps.secrets.subkey('user-tokens'), {
      algorithms: [ALGORITHM],
      audience: audience(realmId),
      currentDate: new Date(deps.clock.wall()),
    })
    return payload.sub ?? null
  } catch {
    return null
  }
}

function audience(realmId: number): string {
  return `realm:${realmId}`
}

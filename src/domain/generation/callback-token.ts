import { type AttemptId, formatId } from '@/base/ids'
import { sameBytes } from '@/base/secrets'
import type { Deps } from '@/deps'

const TOKEN_BYTES = 16

/** In the address that a vendor calls back: per attempt, so that a late one cannot speak for the next. */
export function callbackToken(deps: Pick<Deps, 'secrets'>, id: AttemptId): string {
  const [token] = tokens(deps, id)
  return token ?? ''
}

export function isCallbackToken(deps: Pick<Deps, 'secrets'>, id: AttemptId, text: string): boolean {
  const given = Buffer.from(text)
  return tokens(deps, id).some(token => sameBytes(Buffer.from(token), given))
}

function tokens(deps: Pick<Deps, 'secrets'>, id: AttemptId): string[] {
  return deps.secrets
    .hmacs('callbacks', formatId('attempt', id))
    .map(mac => mac.subarray(0, TOKEN_BYTES).toString('base64url'))
}

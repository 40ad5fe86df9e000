import { AppError } from '@/base/errors'
import { type AttemptId, parseId } from '@/base/ids'
import { command } from '@/db/statements'
import { write } from '@/db/write'
import type { Deps } from '@/deps'
import { isActive } from '@/domain/jobs'
import { keyOf, webhookSecretOf } from '@/domain/providers'
import { toProviderError } from '@/providers/errors'
import { wake } from '@/queue/enqueue'
import { findAttempt } from './attempts'
import { isCallbackToken } from './callback-token'

const record = command<{
  id: number
  provider: string
  eventId: string
  attemptId: number
  body: string
  now: number
}>(
  `INSERT INTO inbox (id, provider, event_id, attempt_id, body, received_at, handled_at)
   VALUES ($id, $provider, $eventId, $attemptId, $body, $now, $now) ON CONFLICT DO NOTHING`,
)

export type Callback = {
  provider: string
  attempt: string
  token: string
  /** Read only when the address is one of ours. */
  readBody: () => Promise<Uint8Array>
  headers: Headers
}

/**
 * What is kept for a person to read. It is a hint to ask, never the result, and erased with its user: so
 * nothing is kept of what is said when the job has ended, maybe because its user was erased.
 */
const BODY_KEPT = 16 * 1024

/**
 * A vendor says that something happened. Verified, recorded once, and the attempt's job is looked at now.
 * A late one for an attempt that has ended changes nothing. Throws 404 for whatever is not ours.
 */
export async function receiveCallback(deps: Deps, callback: Callback): Promise<void> {
  const id = parseId('attempt', callback.attempt) as AttemptId | null
  const isOurs = id !== null && isCallbackToken(deps, id, callback.token)
  const attempt = isOurs ? findAttempt(deps.db, id) : null
  const parse = deps.providers.get(callback.provider)?.parseCallback
  if (!attempt || attempt.provider !== callback.provider || !parse) throw new AppError('not_found')

  const rawBody = await callback.readBody()
  const hint = await parse(rawBody, callback.headers, {
    nowMs: deps.clock.wall(),
    apiKey: keyOf(deps, callback.provider),
    webhookSecret: webhookSecretOf(deps, callback.provider),
    fetch: deps.fetch,
  }).catch(thrown => {
    throw new AppError('not_found', { internal: toProviderError(thrown).message })
  })
  const text = Buffer.from(rawBody).toString('utf8').slice(0, BODY_KEPT)
  await write(deps.db, tx => {
    const isNew = record.run(tx, {
      id: tx.id(),
      provider: callback.provider,
      eventId: hint.eventId,
      attemptId: attempt.id,
      body: isActive(tx, attempt.jobId) ? text : '',
      now: tx.now,
    })
    const isOpen = attempt.state === 'waiting' || attempt.state === 'unknown'
    if (isNew === 1 && isOpen) wake(tx, attempt.jobId)
  })
}

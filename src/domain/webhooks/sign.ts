import { createHmac } from 'node:crypto'
import { invariant } from '@/base/invariant'

const LEAST_SECRET_BYTES = 24

/**
 * Both signatures over the raw body (CONTRACT section 6): the plain `sha256=` form and Standard Webhooks.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function sign(
  secret: string,
  message: { id: string; wallSeconds: number; body: string },
): Record<string, string> {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  // An empty key is a valid HMAC key: everybody could sign.
  invariant(key.length >= LEAST_SECRET_BYTES, 'a webhook secret has at least 24 bytes')
  const { id, wallSeconds, body } = message
  const plain = createHmac('sha256', key).update(`${wallSeconds}.${body}`).digest('hex')
  const standard = createHmac('sha256', key).update(`${id}.${wallSeconds}.${body}`).digest('base64')
  return {
    'x-webhook-signature': `sha256=${plain}`,
    'x-webhook-timestamp': String(wallSeconds),
    'webhook-id': id,
    'webhook-timestamp': String(wallSeconds),
    'webhook-signature': `v1,${standard}`,
  }
}

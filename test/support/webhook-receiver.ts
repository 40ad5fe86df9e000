import { createHmac } from 'node:crypto'
import { Webhook } from 'standardwebhooks'

/** One call that reached us. */
export type Received = {
  path: string
  headers: Record<string, string>
  /** The raw bytes, as text. */
  body: string
  event: { id: string; event: string; job_id: string; status: string; [field: string]: unknown }
  at: number
}

/** An app's server on loopback that takes webhooks and remembers all of them. */
export type Receiver = AsyncDisposable & {
  url: string
  /** `host:port`, for ALLOW_PRIVATE_DESTINATIONS. */
  host: string
  received: Received[]
  of(jobId: string): Received[]
  /** Decides each answer; what it returns is awaited, so a promise that never ends is no answer at all. */
  answer: (received: Received) => Response | Promise<Response>
  /** Resolves with the `count`th call that satisfies the condition. */
  heard(condition: (received: Received) => boolean, count?: number): Promise<Received>
}

export function startReceiver(): Receiver {
  const received: Received[] = []
  const waiting = new Set<() => void>()
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const body = await request.text()
      const one: Received = {
        path: new URL(request.url).pathname,
        headers: Object.fromEntries(request.headers),
        body,
        event: JSON.parse(body) as Received['event'],
        at: performance.now(),
      }
      received.push(one)
      for (const look of waiting) look()
      return await receiver.answer(one)
    },
  })
  const host = `127.0.0.1:${server.port}`
  const receiver: Receiver = {
    url: `http://${host}/hook`,
    host,
    received,
    of: jobId => received.filter(one => one.event.job_id === jobId),
    answer: () => new Response('thank you'),
    heard(condition, count = 1) {
      const found = Promise.withResolvers<Received>()
      const look = () => {
        const one = received.filter(condition)[count - 1]
        if (!one) return
        waiting.delete(look)
        found.resolve(one)
      }
      waiting.add(look)
      look()
      return found.promise
    },
    async [Symbol.asyncDispose]() {
      await server.stop(true)
    },
  }
  return receiver
}

/** Throws unless both signatures are good: by the official library, and by hand as our page describes it. */
export function verifySignatures({ body, headers }: Received, secret: string): void {
  new Webhook(secret).verify(body, headers)
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
  const signed = `${headers['x-webhook-timestamp']}.${body}`
  const expected = `sha256=${createHmac('sha256', key).update(signed).digest('hex')}`
  if (headers['x-webhook-signature'] !== expected) {
    throw new Error('X-Webhook-Signature is not the HMAC of timestamp and body')
  }
}

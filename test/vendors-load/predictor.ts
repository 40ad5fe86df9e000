import { sample } from '@test/vendors/replicate/samples'

/** One look at a prediction, by `performance.now()`. */
export type Poll = { id: string; at: number }

/** A vendor that takes an order on, works, and is asked how it stands. */
export type Predictor = AsyncDisposable & {
  baseUrl: string
  /** `host:port`, for ALLOW_PRIVATE_DESTINATIONS. */
  host: string
  /** When each prediction was created, by `performance.now()`. */
  created: Map<string, number>
  polls: Poll[]
}

/** Speaks Replicate's wire: each prediction, counted from 1, is `processing` for so long, then `succeeded`. */
export function startPredictor({ worksMs }: { worksMs: (count: number) => number }): Predictor {
  const created = new Map<string, number>()
  const ready = new Map<string, number>()
  const polls: Poll[] = []
  const bodies = {
    starting: sample('prediction-starting'),
    processing: sample('prediction-processing'),
    succeeded: sample('prediction-succeeded-inline'),
    canceled: sample('prediction-canceled'),
  }

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    fetch(request) {
      const [, , first = '', id = '', last = ''] = new URL(request.url).pathname.split('/')
      if (first === 'models') return create()
      if (first === 'account') return Response.json(sample('account'))
      if (first !== 'predictions' || !created.has(id)) return new Response('', { status: 404 })
      if (last === 'cancel') return shown(id, 'canceled')
      polls.push({ id, at: performance.now() })
      return shown(id, isReady(id) ? 'succeeded' : 'processing')
    },
  })
  const host = `127.0.0.1:${server.port}`
  const baseUrl = `http://${host}/v1`

  function create(): Response {
    const count = created.size + 1
    const id = `p${count}xqz7c0rme`
    const now = performance.now()
    created.set(id, now)
    ready.set(id, now + worksMs(count))
    return shown(id, 'starting', 201)
  }

  const isReady = (id: string) => performance.now() >= (ready.get(id) ?? Number.POSITIVE_INFINITY)

  function shown(id: string, state: keyof typeof bodies, status = 200): Response {
    const get = `${baseUrl}/predictions/${id}`
    const urls = { get, cancel: `${get}/cancel` }
    const body = { ...bodies.starting, ...bodies[state], id, urls }
    return Response.json(body, { status })
  }

  return { baseUrl, host, created, polls, [Symbol.asyncDispose]: () => server.stop(true) }
}

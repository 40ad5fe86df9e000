import {
  BlockedDestination,
  checkDestination,
  FetchFailure,
  type SafeFetch,
  type SafeFetchInit,
} from '@/base/safe-fetch'

/** The outside world without a socket: addresses that answer, and everything else refused. */
export type FakeWeb = {
  fetch: SafeFetch
  readonly calls: { url: string; init: SafeFetchInit }[]
  /** From now on this address answers so; a function is asked each time, from call 1. */
  serve(url: string, answer: Uint8Array | number | Answer): void
  /** The calls to one address. */
  to(url: string): { url: string; init: SafeFetchInit }[]
  /** Runs when a call leaves and when its answer is back; what it returns is awaited. */
  onStep: (step: 'fetch:called' | 'fetch:answered') => void | Promise<void>
}

export type Answer = (call: number, init: SafeFetchInit) => Response | Promise<Response>

export function fakeWeb(): FakeWeb {
  const answers = new Map<string, Answer>()
  const web: FakeWeb = {
    calls: [],
    onStep: () => {},
    async fetch(url, init = {}) {
      await web.onStep('fetch:called')
      web.calls.push({ url, init })
      const problem = checkDestination(url, [])
      if (problem !== null) throw new BlockedDestination(problem)
      const answer = answers.get(url)
      if (!answer) throw new FetchFailure('connection_refused', false)
      const response = await answer(web.to(url).length, init)
      await web.onStep('fetch:answered')
      return response
    },
    serve(url, answer) {
      answers.set(url, typeof answer === 'function' ? answer : () => plain(answer))
    },
    to: url => web.calls.filter(call => call.url === url),
  }
  return web
}

function plain(answer: Uint8Array | number): Response {
  if (typeof answer === 'number') return new Response('', { status: answer })
  return new Response(answer.slice())
}

/** A true server on loopback, for what only the real network code can show. */
export type LoopbackVendor = {
  origin: string
  /** `host:port`, for the list of private destinations that may be called. */
  host: string
  readonly requests: { method: string; path: string; headers: Headers; body: string }[]
  close(): Promise<void>
}

export function loopbackVendor(answer: (path: string) => Response): LoopbackVendor {
  const requests: LoopbackVendor['requests'] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      const body = await request.text()
      requests.push({ method: request.method, path: pathname, headers: request.headers, body })
      return answer(pathname)
    },
  })
  const host = `127.0.0.1:${server.port}`
  return { origin: `http://${host}`, host, requests, close: () => server.stop(true) }
}

import { BFL_KEY, bflServer, problem } from '@test/vendors/bfl/server'
import { createBfl } from '@/providers/bfl/bfl'
import { type Bench, type End, never, portOf, type Refusal } from '../bench'

export const bfl: Bench = {
  label: 'bfl',
  provider: 'bfl',
  keyVariable: 'BFL_API_KEY',
  key: BFL_KEY,
  job: { kind: 'image', providerModel: 'flux-2-pro' },
  firstPollMs: 1_000,
  fileHost: 'delivery.eu2.bfl.ai',
  doneMs: 1_000,
  usualWaitMs: 5_000,
  // Nobody says whether the task was written down before it broke.
  serverErrorMeans: 'unknown',
  errorInsideMeans: 'unavailable',
  canFind: false,
  adapter: baseUrl => createBfl({ baseUrl }),
  baseUrl: origin => origin,
  isStart: method => method === 'POST',
  isPoll: (method, path) => method === 'GET' && path.startsWith('/v1/get_result'),
  open(end) {
    const server = bflServer()
    server.plan(ENDS[end])
    const refused = (refusal: Refusal, headers?: Record<string, string>) => () =>
      refusal === 'too many'
        ? problem(429, 'error-429', headers)
        : problem(500, 'error-500', headers)
    return {
      port: portOf(server.baseUrl),
      starts: () => server.counts.create,
      refuseStart: (refusal, headers) => server.answer('create', refused(refusal, headers)),
      refusePoll: (refusal, headers) => server.answer('result', refused(refusal, headers)),
      makePicture: never,
      close: () => server.close(),
    }
  },
}

const ENDS: Record<End, string> = {
  well: 'ready',
  error: 'error',
  blocked: 'request-moderated',
}

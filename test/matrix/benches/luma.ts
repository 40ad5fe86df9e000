import { lumaServer, problem, type Step } from '@test/vendors/luma/server'
import { createLuma } from '@/providers/luma/luma'
import { type Bench, type End, never, portOf, type Refusal } from '../bench'

export const luma: Bench = {
  label: 'luma',
  provider: 'luma',
  keyVariable: 'LUMAAI_API_KEY',
  key: 'luma-loopback-key-of-the-test',
  job: { kind: 'video', providerModel: 'ray-2' },
  firstPollMs: 5_000,
  fileHost: 'storage.cdn-luma.com',
  doneMs: 5_000,
  usualWaitMs: 5_000,
  // Nobody says whether the generation was written before it broke.
  serverErrorMeans: 'unknown',
  errorInsideMeans: 'unavailable',
  canFind: true,
  adapter: baseUrl => createLuma({ baseUrl }),
  baseUrl: origin => `${origin}/dream-machine/v1`,
  isStart: method => method === 'POST',
  isPoll: (method, path) => method === 'GET' && /\/generations\/[^/?]+$/.test(path),
  open(end) {
    const server = lumaServer()
    server.plan(ENDS[end])
    const refused = (refusal: Refusal, headers?: Record<string, string>) => () =>
      refusal === 'too many'
        ? problem(429, 'error-429', headers)
        : problem(500, 'error-500', headers)
    return {
      port: portOf(server.baseUrl),
      starts: () => server.counts.create,
      refuseStart: (refusal, headers) => server.answer('create', refused(refusal, headers)),
      refusePoll: (refusal, headers) => server.answer('get', refused(refusal, headers)),
      makePicture: never,
      close: () => server.close(),
    }
  },
}

const ENDS: Record<End, Step> = {
  well: 'completed-video',
  error: { state: 'failed', failure_reason: 'Job failed' },
  blocked: { state: 'failed', failure_reason: 'Advanced prompt moderation failed' },
}

import { replicateServer } from '@test/vendors/replicate/server'
import { createReplicate } from '@/providers/replicate/replicate'
import { type Bench, type End, never, portOf } from '../bench'

export const replicate: Bench = {
  label: 'replicate',
  provider: 'replicate',
  keyVariable: 'REPLICATE_API_TOKEN',
  key: 'r8_loopback-key-of-the-test',
  job: { kind: 'image', providerModel: 'black-forest-labs/flux-schnell' },
  firstPollMs: 1_000,
  fileHost: 'replicate.delivery',
  doneMs: 1_000,
  usualWaitMs: 5_000,
  // It may come after the prediction was written.
  serverErrorMeans: 'unknown',
  errorInsideMeans: 'unavailable',
  canFind: true,
  adapter: baseUrl => createReplicate({ baseUrl }),
  baseUrl: origin => `${origin}/v1`,
  isStart: (method, path) => method === 'POST' && path.endsWith('/predictions'),
  isPoll: (method, path) => method === 'GET' && /\/predictions\/[^/?]+$/.test(path),
  open(end) {
    const server = replicateServer()
    server.plan(ENDS[end])
    return {
      port: portOf(server.baseUrl),
      starts: () => server.counts.create,
      refuseStart: (refusal, headers) => server.answer('create', () => ANSWERS[refusal](headers)),
      refusePoll: (refusal, headers) => server.answer('get', () => ANSWERS[refusal](headers)),
      makePicture: never,
      close: () => server.close(),
    }
  },
}

const ENDS: Record<End, string> = {
  well: 'prediction-succeeded-list',
  error: 'prediction-failed-start',
  blocked: 'prediction-failed-content',
}

const ANSWERS = {
  'server error': (headers?: Record<string, string>) =>
    Response.json({ detail: 'Internal server error' }, { status: 500, headers: { ...headers } }),
  // The sentence of its sample names a time; here a header says it, or nobody does.
  'too many': (headers?: Record<string, string>) =>
    Response.json({ detail: 'Request was throttled.' }, { status: 429, headers: { ...headers } }),
}

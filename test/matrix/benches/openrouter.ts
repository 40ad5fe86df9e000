import { sample } from '@test/vendors/openrouter/samples'
import { KEY, openrouterServer } from '@test/vendors/openrouter/server'
import { createOpenrouter } from '@/providers/openrouter/openrouter'
import { type Bench, type End, never, type OpenVendor, portOf } from '../bench'

const OPENROUTER = {
  provider: 'openrouter',
  keyVariable: 'OPENROUTER_API_KEY',
  key: KEY,
  usualWaitMs: null,
  canFind: false,
  // In its own words the call has ended, and it is no timeout of whoever stands behind.
  serverErrorMeans: 'unavailable',
  errorInsideMeans: 'unavailable',
  adapter: (baseUrl: string) => createOpenrouter({ baseUrl }),
  baseUrl: (origin: string) => `${origin}/api/v1`,
} as const

export const openrouter: Bench = {
  ...OPENROUTER,
  label: 'openrouter',
  fileHost: null,
  job: { kind: 'image', providerModel: 'google/gemini-3-pro-image' },
  firstPollMs: null,
  doneMs: 0,
  isStart: (method, path) => method === 'POST' && path.endsWith('/images'),
  isPoll: () => false,
  open: end => opened(false, end),
}

/** Asked about every ten seconds, so only the full form has the time for it. */
export const openrouterVideo: Bench = {
  ...OPENROUTER,
  label: 'openrouter video',
  fileHost: 'storage.example.com',
  job: { kind: 'video', providerModel: 'google/veo-3.1' },
  firstPollMs: 10_000,
  // The first answer is always that it is under way.
  doneMs: 20_000,
  isStart: (method, path) => method === 'POST' && path.endsWith('/videos'),
  isPoll: (method, path) => method === 'GET' && /\/videos\/[^/]+$/.test(path),
  open: end => opened(true, end),
}

/** For a first start and for a second. */
const WELL = ['video-completed-stored', 'video-completed-stored']

function opened(isVideo: boolean, end: End): OpenVendor {
  const server = openrouterServer()
  const answerOf = (name: string, status: number, headers: Record<string, string> = {}) => ({
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(sample(name).body),
  })
  const refusalOf = (refusal: string, headers?: Record<string, string>) =>
    refusal === 'too many'
      ? answerOf('error-rate-limit', 429, headers)
      : answerOf('error-server', 500, headers)
  // Its videos by key are the few bytes of its server; from a store they are whole ones.
  if (isVideo && end === 'well') server.videosEndAs(...WELL)
  if (end === 'error') {
    if (isVideo) server.videosEndAs('video-failed')
    else server.next(answerOf('error-server', 200))
  }
  if (end === 'blocked') {
    if (isVideo) server.videosEndAs('video-failed-moderated')
    else server.next({ sample: 'error-moderated' })
  }
  return {
    port: portOf(server.baseUrl),
    starts: () => server.starts().length,
    refuseStart: (refusal, headers) => server.next(refusalOf(refusal, headers)),
    // Its answers are given in the order of the calls, so this one is laid ready behind the start.
    refusePoll(refusal, headers) {
      if (!isVideo) never()
      void server.underWay().then(() => server.next(refusalOf(refusal, headers)))
    },
    makePicture(b64_json) {
      if (isVideo) never()
      const body = JSON.stringify({ ...Object(sample('images').body), data: [{ b64_json }] })
      server.next({ status: 200, headers: { 'content-type': 'application/json' }, body })
    },
    close: () => server.close(),
  }
}

import { sample } from '@test/vendors/fal/samples'
import { FAL_KEY, type FalAnswer, type FalScript, startFal } from '@test/vendors/fal/server'
import { createFal } from '@/providers/fal/fal'
import { type Bench, type End, never, portOf, type Refusal } from '../bench'

export const fal: Bench = {
  label: 'fal',
  provider: 'fal',
  keyVariable: 'FAL_KEY',
  key: FAL_KEY,
  job: { kind: 'image', providerModel: 'fal-ai/flux/schnell' },
  firstPollMs: 1_000,
  fileHost: 'v3.fal.media',
  doneMs: 1_000,
  usualWaitMs: null,
  // Nobody says whether the queue had taken it.
  serverErrorMeans: 'unknown',
  errorInsideMeans: 'unavailable',
  canFind: false,
  adapter: baseUrl => createFal({ baseUrl }),
  baseUrl: origin => origin,
  isStart: (method, path) => method === 'POST' && !path.includes('/requests/'),
  isPoll: (method, path) => method === 'GET' && path.endsWith('/status'),
  open(end) {
    const server = startFal()
    const ended = ENDS[end]
    server.script(ended)
    return {
      port: portOf(server.origin),
      starts: () => server.count('submit'),
      refuseStart: (refusal, headers) =>
        server.script({ submit: answerOf(refusal, headers) }, ended),
      refusePoll: (refusal, headers) =>
        server.script({
          ...ended,
          statuses: [answerOf(refusal, headers), ...(ended.statuses ?? [])],
        }),
      makePicture: never,
      close: () => server.close(),
    }
  },
}

const ENDS: Record<End, FalScript> = {
  well: { statuses: [sample('status-completed')] },
  error: { statuses: [sample('status-completed-error')], result: sample('error-runner') },
  blocked: { statuses: [sample('status-completed')], result: sample('error-content') },
}

function answerOf(refusal: Refusal, headers: Record<string, string> = {}): FalAnswer {
  const { body, status } = sample(refusal === 'too many' ? 'error-rate-limited' : 'error-plain-500')
  return { ...sample('submitted'), body, ...(status ? { status } : {}), headers }
}

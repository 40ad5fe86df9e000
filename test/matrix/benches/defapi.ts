import { sampleBody } from '@test/vendors/defapi/samples'
import { defapiServer, KEY, type Reply } from '@test/vendors/defapi/server'
import { createDefapi } from '@/providers/defapi/defapi'
import { type Bench, never, portOf, type Refusal } from '../bench'

export const defapi: Bench = {
  label: 'defapi',
  provider: 'defapi',
  keyVariable: 'DEFAPI_API_KEY',
  key: KEY,
  job: { kind: 'image', providerModel: 'google/gemini-3-pro-image' },
  firstPollMs: 3_000,
  fileHost: 'files.example',
  doneMs: 3_000,
  usualWaitMs: 10_000,
  // Behind it stand others, and how far the task came is not told.
  serverErrorMeans: 'unknown',
  errorInsideMeans: 'unavailable',
  canFind: false,
  adapter: baseUrl => createDefapi({ baseUrl }),
  baseUrl: origin => origin,
  isStart: method => method === 'POST',
  isPoll: (_, path) => path.startsWith('/api/task/query'),
  open(end) {
    const server = defapiServer()
    if (end === 'error') server.submit = () => ({ status: 200, body: noCredit })
    if (end === 'blocked') server.query = () => 'task-refused'
    return {
      port: portOf(server.baseUrl),
      starts: () => server.of('submit').length,
      refuseStart(refusal, headers) {
        server.submit = nth => (nth === 1 ? ANSWERS[refusal](headers) : 'submitted')
      },
      refusePoll(refusal, headers) {
        server.query = (_, nth) => (nth === 1 ? ANSWERS[refusal](headers) : 'task-picture')
      },
      makePicture: never,
      close: () => server.close(),
    }
  },
}

const [noCredit, tooMany] = [
  await sampleBody('error-credit'),
  await sampleBody('error-rate-limited'),
]

const ANSWERS: Record<Refusal, (headers?: Record<string, string>) => Reply> = {
  'server error': headers => ({
    status: 500,
    body: { code: 500, message: 'internal server error' },
    headers: { ...headers },
  }),
  'too many': headers => ({ status: 429, body: tooMany, headers: { ...headers } }),
}

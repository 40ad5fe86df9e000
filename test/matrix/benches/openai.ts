import { sample } from '@test/vendors/openai/samples'
import { KEY, openaiServer } from '@test/vendors/openai/server'
import { createOpenai } from '@/providers/openai/openai'
import { type Bench, never, portOf } from '../bench'

export const openai: Bench = {
  label: 'openai',
  provider: 'openai',
  keyVariable: 'OPENAI_API_KEY',
  key: KEY,
  job: { kind: 'image', providerModel: 'gpt-image-2' },
  firstPollMs: null,
  fileHost: null,
  doneMs: 0,
  usualWaitMs: null,
  // The call is over, and what it made, if anything, is nobody's.
  serverErrorMeans: 'unavailable',
  // It has no such form, so whatever it is was said by nobody known.
  errorInsideMeans: 'unknown',
  canFind: false,
  adapter: baseUrl => createOpenai({ baseUrl }),
  baseUrl: origin => `${origin}/v1`,
  isStart: (method, path) => method === 'POST' && path.startsWith('/v1/images/'),
  isPoll: () => false,
  open(end) {
    const server = openaiServer()
    const next = (name: string, status: number, headers: Record<string, string> = {}) =>
      server.next({ status, headers, body: JSON.stringify(sample(name).body) })
    if (end === 'error') next('error-server', 200)
    if (end === 'blocked') server.next({ sample: 'error-moderation' })
    return {
      port: portOf(server.baseUrl),
      starts: () => server.starts().length,
      refuseStart: (refusal, headers) =>
        refusal === 'too many'
          ? next('error-rate-limit', 429, headers)
          : next('error-server', 500, headers),
      refusePoll: never,
      makePicture(b64_json) {
        const body = { ...Object(sample('images').body), data: [{ b64_json }] }
        server.next({ status: 200, body: JSON.stringify(body) })
      },
      close: () => server.close(),
    }
  },
}

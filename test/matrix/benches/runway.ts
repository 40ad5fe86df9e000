import { sample } from '@test/vendors/runway/samples'
import { RUNWAY_KEY, type RunwayAnswer, startRunway } from '@test/vendors/runway/server'
import { createRunway } from '@/providers/runway/runway'
import { type Bench, type End, never, portOf, type Refusal } from '../bench'

export const runway: Bench = {
  label: 'runway',
  provider: 'runway',
  keyVariable: 'RUNWAYML_API_SECRET',
  key: RUNWAY_KEY,
  job: { kind: 'video', providerModel: 'gen4_turbo' },
  firstPollMs: 5_000,
  fileHost: 'dnznrvs05pmza.cloudfront.net',
  doneMs: 5_000,
  usualWaitMs: null,
  // A 503 sheds load; what broke in the middle may have created the task all the same.
  serverErrorMeans: 'unknown',
  errorInsideMeans: 'unavailable',
  canFind: false,
  adapter: baseUrl => createRunway({ baseUrl }),
  baseUrl: origin => origin,
  isStart: method => method === 'POST',
  isPoll: (method, path) => method === 'GET' && path.startsWith('/v1/tasks/'),
  open(end) {
    const server = startRunway()
    const ended = { tasks: [sample(ENDS[end])] }
    server.script(ended)
    return {
      port: portOf(server.origin),
      starts: () => server.count('create'),
      refuseStart: (refusal, headers) =>
        server.script({ create: answerOf(refusal, headers) }, ended),
      refusePoll: (refusal, headers) =>
        server.script({ tasks: [answerOf(refusal, headers), ...ended.tasks] }),
      makePicture: never,
      close: () => server.close(),
    }
  },
}

const ENDS: Record<End, string> = {
  well: 'task-succeeded',
  error: 'failed-internal',
  blocked: 'failed-safety-input',
}

function answerOf(refusal: Refusal, headers: Record<string, string> = {}): RunwayAnswer {
  const limit = sample('error-daily-limit')
  return refusal === 'too many'
    ? { ...limit, headers }
    : { ...limit, headers, status: 500, body: { error: 'Internal server error' } }
}

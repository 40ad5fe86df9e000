import { sampleBody } from '@test/vendors/gemini/samples'
import { geminiServer, KEY, type Reply } from '@test/vendors/gemini/server'
import { createGemini } from '@/providers/gemini/gemini'
import { type Bench, type End, never, type OpenVendor, portOf, type Refusal } from '../bench'
import { FILM } from '../files'

const GEMINI = {
  provider: 'gemini',
  keyVariable: 'GOOGLE_AI_API_KEY',
  key: KEY,
  fileHost: null,
  usualWaitMs: null,
  canFind: false,
  errorInsideMeans: 'unavailable',
  adapter: (baseUrl: string) => createGemini({ baseUrl }),
  baseUrl: (origin: string) => `${origin}/v1beta`,
} as const

export const gemini: Bench = {
  ...GEMINI,
  label: 'gemini',
  job: { kind: 'image', providerModel: 'gemini-3-pro-image' },
  firstPollMs: null,
  doneMs: 0,
  serverErrorMeans: 'unavailable',
  isStart: (_, path) => path.endsWith(':generateContent'),
  isPoll: () => false,
  open: end => opened('generate', end),
}

/** Asked about every ten seconds, so only the full form has the time for it. */
export const geminiVideo: Bench = {
  ...GEMINI,
  label: 'gemini video',
  job: { kind: 'video', providerModel: 'veo-3.1-generate-preview' },
  firstPollMs: 10_000,
  doneMs: 10_000,
  // What it begins outlives the call.
  serverErrorMeans: 'unknown',
  isStart: (_, path) => path.endsWith(':predictLongRunning'),
  isPoll: (_, path) => path.includes('/operations/'),
  open: end => opened('start', end),
}

function opened(start: 'generate' | 'start', end: End): OpenVendor {
  const server = geminiServer()
  server.video = () => new Response(FILM, { headers: { 'content-type': 'video/mp4' } })
  const isVideo = start === 'start'
  const first = (call: 'generate' | 'start' | 'poll', reply: Reply) => {
    const usual = server.replies[call]
    server.replies[call] = nth => (nth === 1 ? reply : usual(nth))
  }
  if (end === 'error') {
    if (isVideo) first('poll', 'video-failed')
    else first('generate', { ...ANSWERS['server error'](), status: 200 })
  }
  if (end === 'blocked') {
    if (isVideo) first('poll', 'video-filtered')
    else first('generate', 'prompt-blocked')
  }
  return {
    port: portOf(server.origin),
    starts: () => server.of(start).length,
    refuseStart: (refusal, headers) => first(start, ANSWERS[refusal](headers)),
    refusePoll: (refusal, headers) => first('poll', ANSWERS[refusal](headers)),
    makePicture(data) {
      if (isVideo) never()
      const parts = [{ inlineData: { mimeType: 'image/png', data } }]
      const candidates = [{ content: { role: 'model', parts }, finishReason: 'STOP' }]
      first('generate', { status: 200, body: { candidates } })
    },
    close: () => server.close(),
  }
}

type Made = (headers?: Record<string, string>) => Exclude<Reply, string>
const [internal, tooMany] = [
  await sampleBody('error-internal'),
  await sampleBody('error-rate-limited'),
]
// How long to wait is among the details of its own sample; here the header says it, or nobody does.
const { details: _, ...undated } = Object(tooMany.error)

const ANSWERS: Record<Refusal, Made> = {
  'server error': headers => ({ status: 500, body: internal, headers: { ...headers } }),
  'too many': headers => ({ status: 429, body: { error: undated }, headers: { ...headers } }),
}

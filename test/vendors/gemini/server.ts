import { sampleBody } from './samples'

/** What the server does with a request: a body with a status, a sample by name, or nothing at all. */
export type Reply =
  | { status?: number; body: unknown; headers?: Record<string, string> }
  | 'hang'
  | (string & {})
export type Call = 'generate' | 'start' | 'poll' | 'download' | 'models' | 'picture'

export type Received = {
  call: Call
  method: string
  path: string
  headers: Headers
  body: Record<string, unknown>
}

export type GeminiServer = {
  origin: string
  /** As the adapter takes it. */
  baseUrl: string
  readonly requests: Received[]
  /** By the number of the call, from 1. */
  replies: Record<'generate' | 'start' | 'poll' | 'models', (call: number) => Reply>
  /** The path below `/pictures/` -> what the host of somebody's picture answers. */
  pictures: Map<string, () => Response>
  /** What a download of a made video is answered with. */
  video: () => Response
  /** How many redirects stand before it, as Google's do. */
  redirects: number
  /** False leaves the addresses in answers as they are in the samples. */
  isRehosting: boolean
  of(call: Call): Received[]
  /** Resolves when the first such request is here. */
  arrived(call: Call): Promise<void>
  close(): Promise<void>
}

export const KEY = 'AIza-key-that-nobody-may-see'
const GOOGLE = 'https://generativelanguage.googleapis.com'

/** The smallest beginning of an MP4. */
export const MP4 = Uint8Array.from([
  ...[0, 0, 0, 24],
  ...Buffer.from('ftypmp42'),
  ...[0, 0, 0, 0],
  ...Buffer.from('mp42isom'),
])

/** Speaks the Gemini API on loopback: checks the key and the names of fields, counts, and answers samples. */
export function geminiServer(): GeminiServer {
  const arrivals = new Map<Call, PromiseWithResolvers<void>>()
  const arrival = (call: Call) => {
    const known = arrivals.get(call) ?? Promise.withResolvers<void>()
    arrivals.set(call, known)
    return known
  }
  const listener = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: answer })
  const origin = `http://127.0.0.1:${listener.port}`

  const server: GeminiServer = {
    origin,
    baseUrl: `${origin}/v1beta`,
    requests: [],
    replies: {
      generate: () => 'image-done',
      start: () => 'video-started',
      poll: () => 'video-done',
      models: () => 'models',
    },
    pictures: new Map(),
    video: () => new Response(MP4, { headers: { 'content-type': 'video/mp4' } }),
    redirects: 0,
    isRehosting: true,
    of: call => server.requests.filter(request => request.call === call),
    arrived: call => arrival(call).promise,
    close: () => listener.stop(true),
  }
  return server

  async function answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url)
    const call = callOf(request.method, pathname)
    if (call === null)
      return Response.json({ error: { code: 404, status: 'NOT_FOUND' } }, { status: 404 })
    const text = await request.text()
    const received: Received = {
      call,
      method: request.method,
      path: pathname + search,
      headers: request.headers,
      body: text === '' ? {} : JSON.parse(text),
    }
    server.requests.push(received)
    const nth = server.of(call).length
    arrival(call).resolve()
    if (call === 'picture') return picture(pathname)
    if (request.headers.get('x-goog-api-key') !== KEY) return await badKey(request.headers)
    if (call === 'download') return download(pathname)
    const problem = unknownName(call, received.body)
    if (problem !== null) return await reply(await refusal(problem), received, nth)
    return await reply(server.replies[call](nth), received, nth)
  }

  async function reply(given: Reply, received: Received, nth: number): Promise<Response> {
    if (given === 'hang') return await new Promise<never>(() => {})
    const { status, body, headers } =
      typeof given === 'string' ? { body: await sampleBody(given) } : given
    const text = JSON.stringify(named(body, received, nth))
    return new Response(server.isRehosting ? text.replaceAll(GOOGLE, origin) : text, {
      status: status ?? statusOf(body),
      headers: { 'content-type': 'application/json; charset=UTF-8', ...headers },
    })
  }

  function picture(pathname: string): Response {
    const serve = server.pictures.get(pathname.replace('/pictures/', ''))
    return serve ? serve() : new Response('', { status: 404 })
  }

  function download(pathname: string): Response {
    const hop = server.of('download').length
    if (hop > server.redirects) return server.video()
    const location = pathname.startsWith('/download') ? pathname : `/download${pathname}`
    return new Response('', { status: 302, headers: { location: `${location}?alt=media` } })
  }

  async function badKey(headers: Headers): Promise<Response> {
    const body = JSON.stringify(await sampleBody('error-bad-key'))
    return new Response(body.replace(': KEY"', `: ${headers.get('x-goog-api-key')}"`), {
      status: 400,
      headers: { 'content-type': 'application/json' },
    })
  }
}

function callOf(method: string, path: string): Call | null {
  if (path.startsWith('/pictures/')) return 'picture'
  if (method === 'POST' && /^\/v1beta\/models\/[^/]+:generateContent$/.test(path)) return 'generate'
  if (method === 'POST' && /^\/v1beta\/models\/[^/]+:predictLongRunning$/.test(path)) return 'start'
  if (method !== 'GET') return null
  if (/^\/v1beta\/models\/[^/]+\/operations\/[^/]+$/.test(path)) return 'poll'
  if (/^(\/download)?\/v1beta\/files\/[a-z0-9]+:download$/.test(path)) return 'download'
  return path === '/v1beta/models' ? 'models' : null
}

async function refusal(message: string): Promise<Reply> {
  const { error } = await sampleBody('error-invalid-argument')
  return { body: { error: { ...Object(error), message } } }
}

/** Operations have a name of their own each; a poll is answered with the name that was asked for. */
function named(body: unknown, { call, path }: Received, nth: number): unknown {
  if (typeof body !== 'object' || body === null || !('name' in body)) return body
  const name = call === 'start' ? `${body.name}${nth}` : path.replace(/^\/v1beta\//, '')
  return { ...body, name }
}

/** An error names its status itself; an operation that holds one is answered with 200. */
function statusOf(body: unknown): number {
  if (typeof body !== 'object' || body === null || 'done' in body || !('error' in body)) return 200
  return Number(Object(body.error).code)
}

/** The names that the SDK's converters for this API can produce, where we could get one wrong. */
const NAMES: Record<string, string[]> = {
  generate: [
    ...['contents', 'generationConfig', 'safetySettings', 'systemInstruction', 'tools'],
    ...['toolConfig', 'cachedContent', 'serviceTier', 'labels'],
  ],
  generationConfig: [
    ...['responseModalities', 'imageConfig', 'seed', 'temperature', 'topP', 'topK'],
    ...['maxOutputTokens', 'stopSequences', 'presencePenalty', 'frequencyPenalty'],
    ...['mediaResolution', 'thinkingConfig', 'responseMimeType', 'responseSchema'],
  ],
  imageConfig: ['aspectRatio', 'imageSize'],
  start: ['instances', 'parameters', 'webhookConfig'],
  instance: ['prompt', 'image', 'video', 'lastFrame', 'referenceImages'],
  parameters: [
    ...['sampleCount', 'durationSeconds', 'aspectRatio', 'resolution', 'personGeneration'],
    ...['negativePrompt', 'enhancePrompt'],
  ],
}

/** As Google refuses what it does not know; null where all names are known. */
function unknownName(call: Call, body: Record<string, unknown>): string | null {
  if (call !== 'generate' && call !== 'start') return null
  const generation = Object(body.generationConfig)
  const [instance] = Array.isArray(body.instances) ? body.instances : []
  const levels: [string, unknown][] =
    call === 'generate'
      ? [
          ['generate', body],
          ['generationConfig', generation],
          ['imageConfig', generation.imageConfig],
        ]
      : [
          ['start', body],
          ['instance', instance],
          ['parameters', body.parameters],
        ]
  for (const [level, fields] of levels) {
    const unknown = Object.keys(Object(fields)).find(name => !NAMES[level]?.includes(name))
    if (unknown !== undefined) {
      return `Invalid JSON payload received. Unknown name "${unknown}": Cannot find field.`
    }
  }
  return null
}

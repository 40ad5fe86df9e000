import { picture } from '@test/support/fake-provider'
import { sample } from '@test/vendors/openai/samples'

/** How a vendor is: it makes pictures, says 503, says 429 and nothing more, or nobody listens any more. */
export type Mood = 'well' | 'overloaded' | 'limited' | 'refused'

/** One order as it reached the vendor; `at` by `performance.now()`. */
export type Order = { prompt: string; at: number; isServed: boolean }

/** A vendor that answers an order with the picture itself. */
export type Maker = AsyncDisposable & {
  baseUrl: string
  /** `host:port`, for ALLOW_PRIVATE_DESTINATIONS. */
  host: string
  orders: Order[]
  /** Resolves when the order with this prompt is there; the time, by `performance.now()`. */
  arrival(prompt: string): Promise<number>
  /** Changes how it is. What it works on is finished in the old mood. */
  become(mood: Mood): Promise<void>
}

export type MakerOptions = {
  wire: 'openai' | 'gemini'
  /** How long a picture takes; a promise keeps all of them back until it is kept. */
  takes: number | Promise<void>
}

/** Speaks one of two wires: pictures by OpenAI's `images/generations`, or Google's `generateContent`. */
export function startMaker({ wire, takes }: MakerOptions): Maker {
  const orders: Order[] = []
  const awaited = new Map<string, (at: number) => void>()
  let mood: Mood = 'well'
  let isLeaving = false

  const listen = (port: number) =>
    Bun.serve({
      hostname: '127.0.0.1',
      port,
      idleTimeout: 0,
      async fetch(request) {
        if (request.method === 'GET') return mood === 'well' ? listOf[wire]() : troubles[mood]()
        const answer = await make(request)
        if (isLeaving) answer.headers.set('connection', 'close')
        return answer
      },
    })
  let server = listen(0)
  const port = server.port ?? 0
  const host = `127.0.0.1:${port}`

  async function make(request: Request): Promise<Response> {
    const at = performance.now()
    const prompt = promptOf[wire]((await request.json()) as never)
    const answersAs = mood
    orders.push({ prompt, at, isServed: answersAs === 'well' })
    awaited.get(prompt)?.(at)
    awaited.delete(prompt)
    if (answersAs !== 'well') return troubles[answersAs]()
    await (typeof takes === 'number' ? Bun.sleep(takes) : takes)
    return pictureOf[wire]()
  }

  return {
    baseUrl: `http://${host}${wire === 'openai' ? '/v1' : '/v1beta'}`,
    host,
    orders,
    arrival: prompt => new Promise(resolve => awaited.set(prompt, resolve)),
    async become(next) {
      if (next === 'refused') {
        isLeaving = true
        await Bun.sleep(LEAVING_MS)
        await server.stop()
        isLeaving = false
      }
      if (mood === 'refused') server = listen(port)
      mood = next
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}

/**
 * Connections are closed one by one before nobody listens. A call that is cut on its way is another trouble:
 * then nobody knows whether it began, and it is tried nowhere else.
 */
const LEAVING_MS = 300

type OpenaiOrder = { prompt: string }
type GeminiOrder = { contents: [{ parts: { text?: string }[] }] }

const promptOf = {
  openai: ({ prompt }: OpenaiOrder) => prompt,
  gemini: ({ contents: [{ parts }] }: GeminiOrder) => parts.map(({ text }) => text ?? '').join(''),
}

const PIXEL = Buffer.from(picture()).toString('base64')

const pictureOf = {
  openai: () =>
    Response.json({ created: 1_795_000_000, data: [{ b64_json: PIXEL }], usage: TOKENS }),
  gemini: () =>
    Response.json({
      candidates: [
        {
          content: { parts: [{ inlineData: { mimeType: 'image/png', data: PIXEL } }] },
          finishReason: 'STOP',
        },
      ],
    }),
}
const TOKENS = { input_tokens: 10, output_tokens: 200, total_tokens: 210 }

/** The call that proves a key. */
const listOf = {
  openai: () => Response.json({ object: 'list', data: [] }),
  gemini: () => Response.json({ models: [] }),
}

const wordsOf = (name: string) => {
  const { status, body } = sample(name)
  return () => Response.json(body, { status })
}
const troubles = {
  overloaded: wordsOf('error-overloaded'),
  limited: wordsOf('error-rate-limit'),
  // What was sent before nobody listened; nobody else gets here.
  refused: wordsOf('error-overloaded'),
}

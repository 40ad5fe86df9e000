import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import OpenAI, {
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from 'openai'
import { sample, sampleNames } from './samples'
import { KEY, type OpenaiServer, openaiServer } from './server'

/**
 * The vendor's own client against the loopback vendor. What it sends is taken and what it is answered it
 * understands: so the loopback vendor speaks the format, and the adapter's tests against it mean something.
 */
let server: OpenaiServer
let client: OpenAI

beforeEach(() => {
  server = openaiServer()
  client = new OpenAI({ apiKey: KEY, baseURL: server.baseUrl, maxRetries: 0 })
})
afterEach(() => server.close())

const png = () => {
  const { data } = sample('images').body as { data: [{ b64_json: string }] }
  return new File([Uint8Array.fromBase64(data[0].b64_json)], 'cat.png', { type: 'image/png' })
}
const prompt = 'a lighthouse at dawn'
const draw = () => client.images.generate({ model: 'gpt-image-2', prompt })
const say = () =>
  client.chat.completions.create({
    model: 'gpt-5-mini',
    messages: [{ role: 'user', content: 'Hello' }],
  })

describe("the official client's calls are taken", () => {
  test('pictures from a text, with every field of the picture models', async () => {
    const answer = await client.images.generate({
      model: 'gpt-image-2',
      prompt,
      n: 2,
      size: '1536x864',
      quality: 'high',
      background: 'opaque',
      moderation: 'low',
      output_format: 'webp',
      output_compression: 80,
    })
    expect(answer.data).toHaveLength(2)
    expect(server.starts()[0]).toMatchObject({
      path: '/v1/images/generations',
      json: { n: 2, size: '1536x864', moderation: 'low' },
    })
  })

  test('pictures from pictures', async () => {
    const answer = await client.images.edit({
      model: 'gpt-image-2',
      prompt,
      image: [png(), png()],
      mask: png(),
      n: 2,
      input_fidelity: 'high',
    })
    expect(answer.data).toHaveLength(2)
    const names = server
      .starts()[0]
      ?.parts.map(part => part.name)
      .sort()
    const texts = ['input_fidelity', 'mask', 'model', 'n', 'prompt']
    expect(names).toEqual(['image[]', 'image[]', ...texts])
  })

  test('texts', async () => {
    const answer = await client.chat.completions.create({
      model: 'gpt-5-mini',
      messages: [{ role: 'user', content: 'Hello' }],
      n: 2,
      max_completion_tokens: 64,
    })
    expect(answer.choices).toHaveLength(2)
  })

  test('and one that the vendor does not take is refused as it would', async () => {
    const wrong = client.images.generate({ model: 'gpt-image-2', prompt, style: 'vivid' })
    expect(await wrong.catch(error => error)).toMatchObject({
      status: 400,
      code: 'unknown_parameter',
      param: 'style',
    })
  })

  test('but not with another key', async () => {
    const stranger = new OpenAI({ apiKey: 'sk-other', baseURL: server.baseUrl, maxRetries: 0 })
    expect(await stranger.models.list().catch(error => error)).toBeInstanceOf(AuthenticationError)
  })
})

/** How the official client understands each sample. */
const UNDERSTOOD: Record<string, { ask(): Promise<unknown>; as: object }> = {
  images: { ask: draw, as: { usage: { input_tokens: 50, output_tokens: 4160 } } },
  'images-none': { ask: draw, as: { data: [] } },
  chat: {
    ask: say,
    as: {
      usage: { prompt_tokens: 19, completion_tokens: 9 },
      choices: [{ finish_reason: 'stop' }],
    },
  },
  'chat-refused': { ask: say, as: { choices: [{ message: { content: null } }] } },
  'chat-filtered': { ask: say, as: { choices: [{ finish_reason: 'content_filter' }] } },
  'chat-cut-short': { ask: say, as: { choices: [{ finish_reason: 'length' }] } },
  models: { ask: async () => (await client.models.list()).data[0], as: { id: 'gpt-image-2' } },
  'error-moderation': failing(BadRequestError, {
    code: 'moderation_blocked',
    type: 'image_generation_user_error',
  }),
  'error-content-policy': failing(BadRequestError, { code: 'content_policy_violation' }),
  'error-flagged-prompt': failing(BadRequestError, { code: 'invalid_prompt' }),
  'error-unknown-parameter': failing(BadRequestError, { param: 'seed' }),
  'error-invalid-value': failing(BadRequestError, { param: 'size' }),
  'error-model-value': failing(BadRequestError, { param: 'model' }),
  'error-invalid-key': failing(AuthenticationError, { code: 'invalid_api_key' }),
  'error-unverified': failing(PermissionDeniedError, { code: null }),
  'error-unverified-400': failing(BadRequestError, { code: null }),
  'error-missing-scope': failing(PermissionDeniedError, { code: null }),
  'error-no-model': failing(NotFoundError, { code: 'model_not_found' }),
  'error-rate-limit': failing(RateLimitError, { code: 'rate_limit_exceeded' }),
  'error-no-quota': failing(RateLimitError, { type: 'insufficient_quota' }),
  'error-no-credit': failing(RateLimitError, { code: 'credit_balance_exhausted' }),
  'error-hard-limit': failing(BadRequestError, { code: 'billing_hard_limit_reached' }),
  'error-server': failing(InternalServerError, { status: 500 }),
  'error-overloaded': failing(InternalServerError, { code: 'server_is_overloaded' }),
}

function failing(type: new (...args: never[]) => Error, as: object) {
  const ask = async () => {
    const error: unknown = await draw().catch(thrown => thrown)
    expect(error).toBeInstanceOf(type)
    return error
  }
  return { ask, as }
}

describe('the official client understands', () => {
  test('all samples that there are', () => {
    expect(Object.keys(UNDERSTOOD).sort()).toEqual(sampleNames())
  })

  test.each(Object.entries(UNDERSTOOD))('%s', async (name, { ask, as }) => {
    server.next({ sample: name })
    expect(await ask()).toMatchObject(as)
    expect(server.seen).toHaveLength(1)
  })
})

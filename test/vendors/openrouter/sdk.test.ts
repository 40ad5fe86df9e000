import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { OpenRouter } from '@openrouter/sdk'
import * as errors from '@openrouter/sdk/models/errors'
import { answerNames } from './samples'
import { FILM, KEY, type OpenrouterServer, openrouterServer } from './server'

/**
 * The vendor's own client against the loopback vendor. What it sends is taken and what it is answered it
 * understands: so the loopback vendor speaks the format, and the adapter's tests against it mean something.
 */
let server: OpenrouterServer
let client: OpenRouter

beforeEach(() => {
  server = openrouterServer()
  client = clientWith(KEY)
})
afterEach(() => server.close())

function clientWith(apiKey: string): OpenRouter {
  return new OpenRouter({
    apiKey,
    serverURL: server.baseUrl,
    retryConfig: { strategy: 'none' },
  })
}

const prompt = 'a lighthouse at dawn'
const draw = () =>
  client.images.generate({
    imageGenerationRequest: { model: 'bytedance-seed/seedream-4.5', prompt, stream: false },
  })
const say = () =>
  client.chat.send({
    chatRequest: {
      model: 'openai/gpt-5-mini',
      messages: [{ role: 'user', content: 'Hello' }],
      stream: false,
    },
  })
const film = () =>
  client.videoGeneration.generate({
    videoGenerationRequest: { model: 'google/veo-3.1', prompt, duration: 8 },
  })
const poll = () => client.videoGeneration.getGeneration({ jobId: 'gen-vid-1' })
const key = async () => (await client.apiKeys.getCurrentKeyMetadata()).data

describe("the official client's calls are taken", () => {
  test('pictures', async () => {
    const answer = await client.images.generate({
      imageGenerationRequest: {
        model: 'bytedance-seed/seedream-4.5',
        prompt,
        n: 2,
        aspectRatio: '16:9',
        resolution: '2K',
        outputFormat: 'webp',
        outputCompression: 80,
        quality: 'high',
        background: 'opaque',
        seed: 7,
        inputReferences: [{ type: 'image_url', imageUrl: { url: 'https://example.com/cat.png' } }],
        stream: false,
      },
    })
    expect(answer).toMatchObject({ data: [{}, {}] })
  })

  test('pictures by chat', async () => {
    const answer = await client.chat.send({
      chatRequest: {
        model: 'google/gemini-3.1-flash-image',
        modalities: ['image', 'text'],
        imageConfig: { aspect_ratio: '16:9', image_size: '2K' },
        messages: [{ role: 'user', content: prompt }],
        stream: false,
      },
    })
    const url = expect.stringMatching(/^data:image\/png;base64,/)
    expect(answer).toMatchObject({ choices: [{ message: { images: [{ imageUrl: { url } }] } }] })
  })

  test('a video, from its start to the file', async () => {
    const { id } = await client.videoGeneration.generate({
      videoGenerationRequest: {
        model: 'google/veo-3.1',
        prompt,
        duration: 8,
        resolution: '720p',
        aspectRatio: '16:9',
        generateAudio: true,
        frameImages: [
          {
            type: 'image_url',
            imageUrl: { url: 'https://example.com/cat.png' },
            frameType: 'first_frame',
          },
        ],
      },
    })
    const states = []
    for (const _ of [1, 2]) states.push(await client.videoGeneration.getGeneration({ jobId: id }))
    expect(states.map(({ status }) => status)).toEqual(['in_progress', 'completed'])
    const stream = await client.videoGeneration.getVideoContent({ jobId: id })
    expect(await new Response(stream).bytes()).toEqual(FILM)
  })

  test('but not with another key', async () => {
    const stranger = clientWith('sk-other')
    const error = await stranger.apiKeys.getCurrentKeyMetadata().catch(thrown => thrown)
    expect(error).toBeInstanceOf(errors.UnauthorizedResponseError)
  })
})

/** How the official client understands each sample. */
const UNDERSTOOD: Record<string, { ask(): Promise<unknown>; as: object }> = {
  images: { ask: draw, as: { usage: { cost: 0.04, completionTokens: 4175 } } },
  'images-none': { ask: draw, as: { data: [] } },
  'chat-image': { ask: say, as: { usage: { cost: 0.0387036 } } },
  'chat-image-address': {
    ask: say,
    as: { choices: [{ message: { images: [{ imageUrl: { url: expect.any(String) } }] } }] },
  },
  'chat-image-unsafe': { ask: say, as: { choices: [{ message: { images: [] } }] } },
  'chat-image-silent': { ask: say, as: { choices: [{ finishReason: 'stop' }] } },
  chat: { ask: say, as: { usage: { promptTokens: 19, cost: 0.0000234 } } },
  'chat-parts': { ask: say, as: { choices: [{ message: { content: [{}, {}] } }] } },
  'chat-byok': {
    ask: say,
    as: { usage: { isByok: true, costDetails: { upstreamInferenceCost: 0.0000107 } } },
  },
  'chat-refused': { ask: say, as: { choices: [{ message: { refusal: expect.any(String) } }] } },
  'chat-filtered': { ask: say, as: { choices: [{ finishReason: 'content_filter' }] } },
  'chat-cut-short': { ask: say, as: { choices: [{ finishReason: 'length' }] } },
  // The client knows no error object in a choice, and only sees how it finished.
  'chat-choice-moderated': { ask: say, as: { choices: [{ finishReason: 'error' }] } },
  'chat-choice-error': { ask: say, as: { choices: [{ finishReason: 'error' }] } },
  'chat-error-in-200': failing(say, errors.ResponseValidationError, {
    rawValue: { error: { code: 429 } },
  }),
  'video-pending': { ask: film, as: { status: 'pending' } },
  'video-pending-relative': { ask: film, as: { pollingUrl: expect.stringMatching(/^\/api/) } },
  'video-in-progress': { ask: poll, as: { status: 'in_progress' } },
  'video-unheard-of': { ask: poll, as: { status: 'moderating' } },
  'video-completed': {
    ask: poll,
    as: { usage: { cost: 0.25 }, unsignedUrls: [expect.any(String)] },
  },
  'video-completed-stored': { ask: poll, as: { status: 'completed' } },
  'video-completed-bare': { ask: poll, as: { status: 'completed' } },
  'video-failed': { ask: poll, as: { status: 'failed', error: expect.any(String) } },
  'video-failed-moderated': { ask: poll, as: { status: 'failed', error: expect.any(String) } },
  'video-cancelled': { ask: poll, as: { status: 'cancelled' } },
  'video-expired': { ask: poll, as: { status: 'expired' } },
  key: { ask: key, as: { limitRemaining: 74.5, isManagementKey: false } },
  'error-moderated': failing(say, errors.ForbiddenResponseError, {
    error: { code: 403, metadata: { error_type: 'content_policy_violation' } },
  }),
  'error-moderated-older': failing(say, errors.ForbiddenResponseError, { statusCode: 403 }),
  'error-guardrail': failing(say, errors.ForbiddenResponseError, { statusCode: 403 }),
  'error-permission': failing(say, errors.ForbiddenResponseError, { statusCode: 403 }),
  'error-invalid-key': failing(say, errors.UnauthorizedResponseError, { statusCode: 401 }),
  'error-no-credit': failing(say, errors.PaymentRequiredResponseError, { statusCode: 402 }),
  'error-in-flight': failing(say, errors.PaymentRequiredResponseError, {
    error: { metadata: { limit_source: 'openrouter_in_flight_budget' } },
  }),
  'error-rate-limit': failing(say, errors.TooManyRequestsResponseError, { statusCode: 429 }),
  'error-rate-limit-upstream': failing(say, errors.TooManyRequestsResponseError, {
    error: { metadata: { retry_after_seconds: 1 } },
  }),
  'error-bad-request': failing(say, errors.BadRequestResponseError, { statusCode: 400 }),
  'error-no-model': failing(say, errors.BadRequestResponseError, { statusCode: 400 }),
  'error-upstream-moderated': failing(say, errors.BadRequestResponseError, { statusCode: 400 }),
  'error-validation': failing(say, errors.ResponseValidationError, { statusCode: 400 }),
  'error-no-endpoint': failing(say, errors.NotFoundResponseError, { statusCode: 404 }),
  'error-image-too-large': failing(say, errors.PayloadTooLargeResponseError, { statusCode: 413 }),
  'error-timeout': failing(say, errors.RequestTimeoutResponseError, { statusCode: 408 }),
  'error-upstream': failing(say, errors.BadGatewayResponseError, { statusCode: 502 }),
  'error-unavailable': failing(say, errors.ServiceUnavailableResponseError, { statusCode: 503 }),
  'error-edge-timeout': failing(draw, errors.EdgeNetworkTimeoutResponseError, { statusCode: 524 }),
  'error-overloaded': failing(say, errors.ProviderOverloadedResponseError, { statusCode: 529 }),
  'error-server': failing(say, errors.InternalServerResponseError, { statusCode: 500 }),
}

function failing(
  act: () => Promise<unknown>,
  type: abstract new (...args: never[]) => Error,
  as: object,
) {
  const ask = async () => {
    const error: unknown = await act().catch(thrown => thrown)
    expect(error).toBeInstanceOf(type)
    return error
  }
  return { ask, as }
}

describe('the official client understands', () => {
  test('all samples that there are', () => {
    expect(Object.keys(UNDERSTOOD).sort()).toEqual(answerNames())
  })

  test.each(Object.entries(UNDERSTOOD))('%s', async (name, { ask, as }) => {
    server.next({ sample: name })
    expect(await ask()).toMatchObject(as)
    expect(server.seen).toHaveLength(1)
  })
})

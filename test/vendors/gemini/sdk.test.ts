import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApiError, type GenerateVideosOperation, GoogleGenAI } from '@google/genai'
import { type GeminiServer, geminiServer, KEY, MP4 } from './server'

/** Google's own client understands the server, so what the adapter is tested against is Google's format. */
let server: GeminiServer
let ai: GoogleGenAI

beforeEach(() => {
  server = geminiServer()
  ai = clientWith(KEY)
})
afterEach(() => server.close())

function clientWith(apiKey: string): GoogleGenAI {
  return new GoogleGenAI({ apiKey, httpOptions: { baseUrl: server.origin } })
}

const image = { model: 'gemini-3-pro-image', contents: 'a lighthouse at dawn' }

test('a picture', async () => {
  const response = await ai.models.generateContent({
    ...image,
    config: {
      responseModalities: ['TEXT', 'IMAGE'],
      imageConfig: { aspectRatio: '16:9', imageSize: '2K' },
      seed: 7,
    },
  })
  const parts = response.candidates?.[0]?.content?.parts ?? []
  expect(parts.map(part => [part.thought ?? false, part.inlineData?.mimeType ?? 'text'])).toEqual([
    [true, 'text'],
    [true, 'image/png'],
    [false, 'text'],
    [false, 'image/png'],
  ])
  expect(response.usageMetadata).toMatchObject({
    candidatesTokenCount: 1_290,
    thoughtsTokenCount: 80,
  })
  const [request] = server.of('generate')
  expect(request?.path).toBe('/v1beta/models/gemini-3-pro-image:generateContent')
  expect(request?.headers.get('x-goog-api-key')).toBe(KEY)
  expect(request?.body).toEqual({
    contents: [{ role: 'user', parts: [{ text: 'a lighthouse at dawn' }] }],
    generationConfig: {
      responseModalities: ['TEXT', 'IMAGE'],
      imageConfig: { aspectRatio: '16:9', imageSize: '2K' },
      seed: 7,
    },
  })
})

test('a text', async () => {
  server.replies.generate = () => 'text-done'
  const response = await ai.models.generateContent({ model: 'gemini-3-flash', contents: 'Say it.' })
  expect(response.text).toBe('A lighthouse at dawn.')
})

test('refusals come with status 200', async () => {
  server.replies.generate = call =>
    ['prompt-blocked', 'image-refused', 'image-missing'][call - 1] ?? 'hang'
  const [blocked, refused, missing] = [
    await ai.models.generateContent(image),
    await ai.models.generateContent(image),
    await ai.models.generateContent(image),
  ]
  expect(String(blocked?.promptFeedback?.blockReason)).toBe('PROHIBITED_CONTENT')
  expect(String(refused?.candidates?.[0]?.finishReason)).toBe('IMAGE_PROHIBITED_CONTENT')
  expect(String(missing?.candidates?.[0]?.finishReason)).toBe('NO_IMAGE')
})

test.each([
  ['error-invalid-argument', 400],
  ['error-precondition', 400],
  ['error-content', 400],
  ['error-permission-denied', 403],
  ['error-model-not-found', 404],
  ['error-rate-limited', 429],
  ['error-daily-quota', 429],
  ['error-internal', 500],
  ['error-overloaded', 503],
  ['error-deadline', 504],
])('%s is an error with its status', async (sample, status) => {
  server.replies.generate = () => sample
  const error = await ai.models.generateContent(image).catch((thrown: unknown) => thrown)
  if (!(error instanceof ApiError)) throw new Error(`no ApiError: ${error}`)
  expect(error.status).toBe(status)
  expect(JSON.parse(error.message)).toHaveProperty('error.code', status)
})

test('a key that is not valid is a 400, and the answer repeats it', async () => {
  const client = clientWith('wrong-key')
  const error = await client.models.generateContent(image).catch((thrown: unknown) => thrown)
  if (!(error instanceof ApiError)) throw new Error(`no ApiError: ${error}`)
  expect(error.status).toBe(400)
  expect(error.message).toContain('API_KEY_INVALID')
  expect(error.message).toContain('Invalid API key: wrong-key')
})

test('a name that the API does not know is refused', async () => {
  const extraBody = { generationConfig: { negative_prompt: 'fog' } }
  const error = await ai.models
    .generateContent({ ...image, config: { httpOptions: { extraBody } } })
    .catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ status: 400 })
  expect(String(error)).toContain('negative_prompt')
})

test('the list of models', async () => {
  const models = await ai.models.list({ config: { pageSize: 1, queryBase: true } })
  expect(models.page.map(({ name }) => name)).toEqual(['models/gemini-3-pro-image'])
  expect(server.of('models')[0]?.path).toBe('/v1beta/models?pageSize=1')
})

const video = {
  model: 'veo-3.1-generate-preview',
  source: { prompt: 'waves', image: { imageBytes: 'AAAA', mimeType: 'image/png' } },
  config: { aspectRatio: '16:9', durationSeconds: 8, resolution: '720p', negativePrompt: 'fog' },
}

async function polled(sample: string): Promise<GenerateVideosOperation> {
  server.replies.poll = () => sample
  const operation = await ai.models.generateVideos(video)
  return await ai.operations.getVideosOperation({ operation })
}

test('a video is begun, asked about and downloaded', async () => {
  server.isRehosting = false
  const running = await polled('video-running')
  expect(running.done).toBe(false)
  expect(server.of('start')[0]).toMatchObject({
    path: '/v1beta/models/veo-3.1-generate-preview:predictLongRunning',
    body: {
      instances: [
        { prompt: 'waves', image: { bytesBase64Encoded: 'AAAA', mimeType: 'image/png' } },
      ],
      parameters: {
        aspectRatio: '16:9',
        durationSeconds: 8,
        resolution: '720p',
        negativePrompt: 'fog',
      },
    },
  })
  const done = await polled('video-done')
  const [made] = done.response?.generatedVideos ?? []
  if (!made) throw new Error('no video')
  const folder = await mkdtemp(join(tmpdir(), 'veo-'))
  try {
    const downloadPath = join(folder, 'video.mp4')
    await ai.files.download({ file: made, downloadPath })
    expect(await Bun.file(downloadPath).bytes()).toEqual(MP4)
  } finally {
    await rm(folder, { recursive: true })
  }
  expect(server.of('download')[0]?.path).toBe('/v1beta/files/abc123def456:download?alt=media')
})

test('a video that is filtered, failed, refused or gone', async () => {
  const filtered = await polled('video-filtered')
  expect(filtered.done).toBe(true)
  expect(filtered.response?.raiMediaFilteredCount).toBe(1)
  expect(filtered.response?.raiMediaFilteredReasons).toHaveLength(1)
  expect((await polled('video-failed')).error).toMatchObject({ code: 13 })
  expect((await polled('video-refused')).error).toMatchObject({ code: 3 })
  const gone = await polled('video-gone').catch((thrown: unknown) => thrown)
  expect(gone).toMatchObject({ status: 404 })
})

test('the name of an operation is what the server gave', async () => {
  expect((await ai.models.generateVideos(video)).name).toMatch(/^models\/veo-.*\/operations\/\w+$/)
  expect(await polled('video-done')).toHaveProperty('name')
})

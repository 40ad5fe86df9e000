import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { ApiError, createFalClient, type QueueStatus, ValidationError } from '@fal-ai/client'
import { sample } from './samples'
import { FAL_KEY, type FalVendor, startFal } from './server'

/** fal's own client against the server of these tests: what it understands, the server says right. */
let fal: FalVendor

beforeEach(() => {
  fal = startFal()
})
afterEach(() => fal.close())

function client(credentials = FAL_KEY) {
  const toHere = (input: string | URL | Request, init?: RequestInit) =>
    fetch(`${input}`.replace(/^https:\/\/(queue\.)?fal\.run/, fal.origin), init)
  return createFalClient({
    credentials,
    fetch: Object.assign(toHere, { preconnect: fetch.preconnect }),
  })
}

const PROMPT = { prompt: 'a lighthouse at dawn' }
const thrown = (work: Promise<unknown>) =>
  work.then(
    () => Promise.reject(new Error('it was taken')),
    (error: unknown) => error,
  )

test('submits, polls and fetches: the whole way', async () => {
  const { queue } = client()
  const input = { ...PROMPT, num_images: 2 }
  const submitted = await queue.submit('fal-ai/flux/schnell', { input })
  expect(submitted).toMatchObject({ status: 'IN_QUEUE', queue_position: 0 })
  const requestId = submitted.request_id
  expect(submitted.response_url).toBe(`${fal.origin}/fal-ai/flux/requests/${requestId}`)
  expect(fal.inputs()).toEqual([input])

  const statuses: QueueStatus[] = []
  for (let poll = 0; poll < 3; poll++) {
    statuses.push(await queue.status('fal-ai/flux/schnell', { requestId }))
  }
  expect(statuses.map(({ status }) => status)).toEqual(['IN_QUEUE', 'IN_PROGRESS', 'COMPLETED'])
  expect(statuses.map(({ status_url }) => status_url)).toEqual(Array(3).fill(submitted.status_url))
  const result = await queue.result('fal-ai/flux/schnell', { requestId })
  expect(result.requestId).toBe(requestId)
  expect(result.data).toEqual(sample('result-images').body as never)
})

test('subscribes', async () => {
  const seen: string[] = []
  const { data } = await client().subscribe('fal-ai/kling-video/v2.5-turbo/pro/text-to-video', {
    input: PROMPT,
    pollInterval: 1,
    onQueueUpdate: ({ status }) => seen.push(status),
  })
  expect(seen.at(-1)).toBe('COMPLETED')
  expect(data).toBeDefined()
  expect([fal.count('submit'), fal.count('status'), fal.count('result')]).toEqual([1, 3, 1])
})

test('names a webhook in the query', async () => {
  const webhookUrl = 'https://hub.example/callbacks/fal/att_1/token?x=1&y=2'
  await client().queue.submit('fal-ai/flux/dev', { input: PROMPT, webhookUrl })
  expect(fal.calls[0]?.query.get('fal_webhook')).toBe(webhookUrl)
})

test('leaves the path of an endpoint out of the addresses of its requests', async () => {
  const { queue } = client()
  const { request_id: requestId } = await queue.submit('fal-ai/flux/dev', { input: PROMPT })
  await queue.status('fal-ai/flux/dev', { requestId })
  expect(fal.calls[1]?.path).toBe(`/fal-ai/flux/requests/${requestId}/status`)
  const composed = await fetch(`${fal.origin}/fal-ai/flux/dev/requests/${requestId}/status`, {
    headers: { authorization: `Key ${FAL_KEY}` },
  })
  expect(composed.status).toBe(405)
})

test('keeps the prefix of workflows in them', async () => {
  const { queue } = client()
  const { request_id: requestId, status_url } = await queue.submit('workflows/me/mine', {
    input: PROMPT,
  })
  expect(status_url).toBe(`${fal.origin}/workflows/me/mine/requests/${requestId}/status`)
  expect(await queue.status('workflows/me/mine', { requestId })).toHaveProperty('status')
})

test('cancels, and what is over or unknown is an error', async () => {
  const { queue } = client()
  const { request_id: requestId } = await queue.submit('fal-ai/flux/dev', { input: PROMPT })
  await queue.cancel('fal-ai/flux/dev', { requestId })
  expect(fal.calls[1]).toMatchObject({ kind: 'cancel', method: 'PUT' })
  expect(await thrown(queue.cancel('fal-ai/flux/dev', { requestId }))).toMatchObject({
    status: 400,
    body: { status: 'ALREADY_COMPLETED' },
  })
  expect(await thrown(queue.cancel('fal-ai/flux/dev', { requestId: 'other' }))).toMatchObject({
    status: 404,
    body: { status: 'NOT_FOUND' },
  })
})

describe('errors', () => {
  const endpoint = 'fal-ai/flux/dev'

  async function resultOf(name: string) {
    fal.script({ statuses: [sample('status-completed')], result: sample(name) })
    const { queue } = client()
    const { request_id: requestId } = await queue.submit(endpoint, { input: PROMPT })
    await queue.status(endpoint, { requestId })
    return await thrown(queue.result(endpoint, { requestId }))
  }

  test.each([
    ['error-content', 'content_policy_violation'],
    ['error-no-media', 'no_media_generated'],
    ['error-input', 'missing'],
    ['error-download', 'file_download_error'],
    ['error-plain-input', 'value_error'],
    ['error-plain-content', 'value_error'],
  ])('%s has the type %s', async (name, type) => {
    const error = await resultOf(name)
    if (!(error instanceof ValidationError)) throw new Error('no ValidationError')
    expect(error.fieldErrors.map(field => field.type)).toEqual([type])
  })

  test.each([
    ['error-internal', 500],
    ['error-plain-500', 500],
    ['error-downstream', 400],
    ['error-cancelled', 499],
  ])('%s is an ApiError with status %d', async (name, status) => {
    const error = await resultOf(name)
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ status, body: sample(name).body as object })
  })

  test.each([
    ['error-exhausted', 403],
    ['error-not-found', 404],
    ['error-input', 422],
  ])('a submit turned down with %s', async (name, status) => {
    fal.script({ submit: sample(name) })
    const error = await thrown(client().queue.submit(endpoint, { input: PROMPT }))
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ status, body: sample(name).body as object })
  })

  test('a wrong key', async () => {
    const error = await thrown(client('another:key').queue.submit(endpoint, { input: PROMPT }))
    expect(error).toMatchObject({ status: 401 })
  })

  test('a result that is asked for too early', async () => {
    const { queue } = client()
    const { request_id: requestId } = await queue.submit(endpoint, { input: PROMPT })
    const error = await thrown(queue.result(endpoint, { requestId }))
    expect(error).toMatchObject({ body: { detail: 'Request is still in progress' } })
  })
})

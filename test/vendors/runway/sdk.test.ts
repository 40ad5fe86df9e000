import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import RunwayML, { APIError, TaskFailedError } from '@runwayml/sdk'
import { sample } from './samples'
import { RUNWAY_KEY, type RunwayVendor, startRunway } from './server'

/** Runway's own client against the server of these tests: what it understands, the server says right. */
let runway: RunwayVendor

beforeEach(() => {
  runway = startRunway()
})
afterEach(() => runway.close())

const client = (apiKey = RUNWAY_KEY) =>
  new RunwayML({ apiKey, baseURL: runway.origin, maxRetries: 0 })

const thrown = (work: Promise<unknown>) =>
  work.then(
    () => Promise.reject(new Error('it was taken')),
    (error: unknown) => error,
  )

const IMAGE = 'https://a.example/1.png'
const VIDEO = {
  model: 'gen4_turbo',
  promptImage: IMAGE,
  promptText: 'a lighthouse at dawn',
  ratio: '1280:720',
  duration: 5,
} as const

test('creates a task and asks for it until it has an output', async () => {
  const { imageToVideo, tasks } = client()
  const { id, estimatedCost } = await imageToVideo.create(VIDEO)
  expect(estimatedCost.credits).toBe(25)
  expect(runway.calls[0]).toMatchObject({ method: 'POST', path: '/v1/image_to_video', body: VIDEO })
  const statuses: string[] = []
  for (let poll = 0; poll < 3; poll++) statuses.push((await tasks.retrieve(id)).status)
  expect(statuses).toEqual(['THROTTLED', 'PENDING', 'RUNNING'])
  const { output } = await tasks.retrieve(id).waitForTaskOutput()
  expect(output).toHaveLength(1)
  expect(runway.calls.at(-1)?.path).toBe(`/v1/tasks/${id}`)
})

test('creates the other kinds', async () => {
  const { textToImage, textToVideo, imageUpscale } = client()
  await textToImage.create({
    model: 'gen4_image',
    promptText: 'a lighthouse',
    ratio: '1920:1080',
    referenceImages: [{ uri: IMAGE }],
  })
  await textToVideo.create({
    model: 'gen4.5',
    promptText: 'a lighthouse',
    ratio: '1280:720',
    duration: 5,
  })
  await imageUpscale.create({
    model: 'magnific_precision_upscaler_v2',
    imageUri: IMAGE,
    scaleFactor: 4,
  })
  expect(runway.calls.map(({ kind, path }) => [kind, path])).toEqual([
    ['create', '/v1/text_to_image'],
    ['create', '/v1/text_to_video'],
    ['create', '/v1/image_upscale'],
  ])
})

test('reads progress and cost', async () => {
  runway.script({ tasks: [sample('task-running'), sample('task-succeeded-two')] })
  const { imageToVideo, tasks } = client()
  const { id } = await imageToVideo.create(VIDEO)
  expect(await tasks.retrieve(id)).toMatchObject({ id, status: 'RUNNING', progress: 0.45 })
  const done = await tasks.retrieve(id)
  if (done.status !== 'SUCCEEDED') throw new Error(done.status)
  expect(done.cost.credits).toBe(10)
  expect(done.output).toHaveLength(2)
})

test.each([
  'task-cancelled',
  'failed-safety-input',
  'failed-safety-output',
  'failed-preprocessing-safety',
  'failed-third-party-safety',
  'failed-asset',
  'failed-third-party-input',
  'failed-bad-output',
  'failed-internal',
  'failed-preprocessing-internal',
  'failed-third-party-down',
  'failed-without-code',
])('%s is a task that failed', async name => {
  runway.script({ tasks: [sample(name)] })
  const { imageToVideo, tasks } = client()
  const { id } = await imageToVideo.create(VIDEO)
  const error = await thrown(tasks.retrieve(id).waitForTaskOutput())
  if (!(error instanceof TaskFailedError)) throw error
  expect(error.taskDetails).toEqual({ ...(sample(name).body as object), id } as never)
})

test('deletes, and what is deleted is gone', async () => {
  const { imageToVideo, tasks } = client()
  const { id } = await imageToVideo.create(VIDEO)
  await tasks.delete(id)
  expect(runway.calls.at(-1)).toMatchObject({ method: 'DELETE', path: `/v1/tasks/${id}` })
  expect(await thrown(tasks.retrieve(id))).toMatchObject({ status: 404 })
})

test('asks for the account', async () => {
  expect(await client().organization.retrieve()).toEqual(sample('organization').body as never)
})

describe('errors', () => {
  test.each([
    ['error-asset', 400],
    ['error-ratio', 400],
    ['error-model', 400],
    ['error-credits', 400],
    ['error-daily-limit', 429],
    ['error-overload', 503],
  ])('%s', async (name, status) => {
    runway.script({ create: sample(name) })
    const error = await thrown(client().imageToVideo.create(VIDEO))
    expect(error).toBeInstanceOf(APIError)
    expect(error).toMatchObject({ status, error: sample(name).body as object })
  })

  test('a wrong key', async () => {
    expect(await thrown(client('key_wrong').organization.retrieve())).toMatchObject({ status: 401 })
  })

  test('another version of the API', async () => {
    const { origin: baseURL } = runway
    const old = new RunwayML({ apiKey: RUNWAY_KEY, baseURL, runwayVersion: '2023-01-01' })
    expect(await thrown(old.organization.retrieve())).toMatchObject({ status: 400 })
  })
})

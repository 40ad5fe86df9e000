import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  conformance,
  type Harness,
  imageInput,
  providerContext,
  type Situation,
} from '@test/support/conformance'
import { createSafeFetch } from '@/base/safe-fetch'
import { ProviderError, type ProviderErrorKind } from '@/providers/errors'
import { createRunway } from '@/providers/runway/runway'
import type {
  Done,
  Operation,
  Pending,
  ProviderContext,
  ProviderInput,
  StartResult,
} from '@/providers/spec'
import { type Sample, sample } from './samples'
import {
  RUNWAY_KEY,
  type RunwayAnswer,
  type RunwayScript,
  type RunwayVendor,
  startRunway,
} from './server'

const guarded = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
const page = (status: number) => () =>
  new Response('<html>Bad Gateway</html>', { status, headers: { 'content-type': 'text/html' } })
const json = (body: unknown, status = 200) => ({
  ...sample('created'),
  status,
  body: body as Sample['body'],
})

const NOW = 1_760_000_000_000
const LATER = NOW + 120_000
const IMAGE = { providerModel: 'gen4_image' }
const VIDEO = {
  kind: 'video',
  providerModel: 'gen4_turbo',
  images: ['https://a.example/1.png'],
  aspectRatio: '16:9',
  extra: { duration_seconds: 5 },
}

function context(changes: Partial<ProviderContext> = {}): ProviderContext {
  return providerContext({ fetch: guarded, apiKey: RUNWAY_KEY, nowMs: NOW, ...changes })
}

const SCRIPTS: Record<Situation, () => RunwayScript> = {
  sync_done: () => ({}),
  async_done: () => ({}),
  rejected: () => ({ create: sample('error-asset') }),
  rate_limited: () => ({ create: sample('error-daily-limit') }),
  unavailable: () => ({ create: sample('error-credits') }),
  unknown_outcome: () => ({ create: page(502) }),
  rejected_later: () => ({ tasks: [sample('task-running'), sample('failed-safety-output')] }),
  unavailable_later: () => ({ tasks: [sample('task-running'), sample('failed-internal')] }),
  hangs: () => ({}),
  hostile_params: () => ({}),
}

const HOSTILE = {
  promptText: 'mine',
  model: 'mine',
  webhook: 'https://evil.example',
  authorization: 'mine',
}

function harness(): Harness {
  const runway = startRunway()
  return {
    provider: createRunway({ baseUrl: runway.origin }),
    restart: () => createRunway({ baseUrl: runway.origin }),
    close: () => runway.close(),
    scenario(of) {
      const { promise: underWay, resolve } = Promise.withResolvers<void>()
      const hang = () => {
        resolve()
        return new Promise<Response>(() => {})
      }
      runway.script(of === 'hangs' ? { create: hang } : SCRIPTS[of]())
      const params = of === 'hostile_params' ? HOSTILE : {}
      return { input: imageInput({ ...IMAGE, numOutputs: 2, params }), ctx: context(), underWay }
    },
  }
}

conformance('runway', harness, { modes: ['async'], can: ['cancel', 'check'], picturesInHand: true })

let runway: RunwayVendor
beforeEach(() => {
  runway = startRunway()
})
afterEach(() => runway.close())

const provider = () => createRunway({ baseUrl: runway.origin })

async function start(changes: Partial<ProviderInput> = {}, ctx = context()): Promise<Pending> {
  const result = await provider().start(imageInput({ ...IMAGE, ...changes }), ctx)
  if (result.state !== 'pending') throw new Error(result.state)
  return result
}

async function poll(operation: Operation, ctx = context()): Promise<StartResult> {
  const result = await provider().poll?.(operation, ctx)
  if (!result) throw new Error('no poll')
  return result
}

/** The end of a job whose tasks have ended by the first question. */
async function finish(task: RunwayAnswer, changes: Partial<ProviderInput> = {}): Promise<Done> {
  runway.script({ tasks: [task] })
  const { operation } = await start(changes)
  const result = await poll(operation, context({ nowMs: LATER }))
  if (result.state !== 'done') throw new Error(result.state)
  return result
}

async function failure(work: Promise<unknown> | undefined): Promise<ProviderError> {
  const error: unknown = await Promise.resolve(work).then(
    value => new Error(`answered ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  )
  if (error instanceof ProviderError) return error
  throw error
}

describe('a task', () => {
  const A = 'https://a.example/1.png'
  const B = 'https://a.example/2.png'

  test('is created with key and version', async () => {
    await start()
    const [call] = runway.calls
    expect(call?.headers.get('authorization')).toBe(`Bearer ${RUNWAY_KEY}`)
    expect(call?.headers.get('x-runway-version')).toBe('2024-11-06')
    expect(call?.headers.get('content-type')).toBe('application/json')
  })

  test.each<[string, Partial<ProviderInput>, string, object]>([
    [
      'a picture',
      { aspectRatio: '16:9', extra: { seed: 7 }, outputFormat: 'png' },
      '/v1/text_to_image',
      { model: 'gen4_image', promptText: 'a lighthouse at dawn', ratio: '1920:1080', seed: 7 },
    ],
    [
      'a picture from pictures',
      { kind: 'image_edit', images: [A, B] },
      '/v1/text_to_image',
      {
        model: 'gen4_image',
        promptText: 'a lighthouse at dawn',
        ratio: '1080:1080',
        referenceImages: [{ uri: A }, { uri: B }],
      },
    ],
    [
      'a video',
      { kind: 'video', providerModel: 'gen4.5', extra: { duration_seconds: 5 } },
      '/v1/text_to_video',
      { model: 'gen4.5', promptText: 'a lighthouse at dawn', ratio: '960:960', duration: 5 },
    ],
    [
      'a video from a picture',
      { ...VIDEO, prompt: null },
      '/v1/image_to_video',
      { model: 'gen4_turbo', promptImage: A, ratio: '1280:720', duration: 5 },
    ],
    [
      'a video between two pictures',
      { ...VIDEO, providerModel: 'veo3.1', images: [A, B], extra: { negative_prompt: 'fog' } },
      '/v1/image_to_video',
      {
        model: 'veo3.1',
        promptText: 'a lighthouse at dawn',
        promptImage: [
          { uri: A, position: 'first' },
          { uri: B, position: 'last' },
        ],
        ratio: '1280:720',
        negativePrompt: 'fog',
      },
    ],
    [
      'an upscale',
      {
        kind: 'upscale',
        providerModel: 'magnific_precision_upscaler_v2',
        images: [A],
        outputFormat: 'png',
        extra: { upscale_factor: 4 },
        params: { sharpen: 10 },
      },
      '/v1/image_upscale',
      { model: 'magnific_precision_upscaler_v2', imageUri: A, scaleFactor: 4, sharpen: 10 },
    ],
  ])('of %s', async (_, changes, path, body) => {
    await start(changes)
    expect(runway.calls).toMatchObject([{ kind: 'create', path }])
    expect(runway.bodies()).toEqual([body])
  })

  test('is mapped as the route says', async () => {
    await start({
      ...VIDEO,
      numOutputs: 2,
      providerModel: 'seedance2',
      config: {
        with_images_model: 'seedance2_fast',
        fields: { num_outputs: 'outputCount', duration_seconds: 'length' },
        aspect_ratios: { '16:9': '864:496' },
        constants: { audio: false },
      },
    })
    expect(runway.bodies()).toEqual([
      {
        model: 'seedance2_fast',
        promptText: 'a lighthouse at dawn',
        promptImage: A,
        ratio: '864:496',
        outputCount: 2,
        length: 5,
        audio: false,
      },
    ])
  })

  test('has other names where there are pictures', async () => {
    const with_images_fields = { images: 'firstFrame', aspect_ratio: null }
    await start({ ...VIDEO, config: { with_images_fields } })
    expect(runway.bodies()).toEqual([
      { model: 'gen4_turbo', promptText: 'a lighthouse at dawn', promptImage: A, duration: 5 },
    ])
  })

  test('is of the model and the pictures of the job, whatever else is fixed', async () => {
    const constants = { model: 'other', promptImage: 'https://a.example/other.png' }
    await start({ ...VIDEO, config: { constants } })
    expect(runway.bodies()).toMatchObject([{ model: 'gen4_turbo', promptImage: A }])
  })

  test('that is one leaves the seed alone', async () => {
    await start({ extra: { seed: 2 ** 40 } })
    expect(runway.bodies()).toMatchObject([{ seed: 2 ** 40 }])
  })

  test.each<[string, Partial<ProviderInput>]>([
    ['a text', { kind: 'text' }],
    ['an upscale of nothing', { kind: 'upscale' }],
    ['an upscale of two', { kind: 'upscale', images: [A, B] }],
    ['a video of three', { kind: 'video', images: [A, B, A] }],
  ])('of %s is never asked for', async (_, changes) => {
    expect(await failure(start(changes))).toMatchObject({ kind: 'rejected', reason: 'input' })
    expect(runway.calls).toEqual([])
  })

  test('without a key is never asked for', async () => {
    expect((await failure(start({}, context({ apiKey: null })))).kind).toBe('unavailable')
    expect(runway.calls).toEqual([])
  })
})

describe('parameters of the caller', () => {
  test.each(['contentModeration', 'duration', 'outputCount', 'outputFormat', 'model', 'ratio'])(
    '%s is refused, at submit and here',
    async name => {
      const params = { [name]: 'mine' }
      expect(provider().params?.safeParse(params).success).toBe(false)
      expect(await failure(start({ params }))).toMatchObject({ kind: 'rejected', reason: 'input' })
      expect(runway.calls).toEqual([])
    },
  )

  test('what the operator fixed is refused', async () => {
    const config = { constants: { flavor: 'photo' } }
    const error = await failure(start({ params: { flavor: 'sublime' }, config }))
    expect(error).toMatchObject({ kind: 'rejected', reason: 'input' })
    expect(runway.calls).toEqual([])
  })

  test('what we set wins', async () => {
    await start({ params: { seed: 1, negativePrompt: 'rain' }, extra: { seed: 2 } })
    expect(runway.bodies()).toMatchObject([{ seed: 2, negativePrompt: 'rain' }])
  })
})

describe('an answer to a creation', () => {
  test.each<[string, RunwayAnswer, ProviderErrorKind]>([
    ['a picture that it cannot fetch', sample('error-asset'), 'rejected'],
    ['a ratio that it does not know', sample('error-ratio'), 'rejected'],
    ['a model that it does not know', sample('error-model'), 'unavailable'],
    ['no credits', sample('error-credits'), 'unavailable'],
    ['a bad key', sample('error-unauthorized'), 'unavailable'],
    ['not found', sample('error-not-found'), 'unavailable'],
    ['the limit of the day', sample('error-daily-limit'), 'rate_limited'],
    ['overload', sample('error-overload'), 'unavailable'],
    ['a breakdown', page(500), 'unknown_outcome'],
    ['a gateway', page(504), 'unknown_outcome'],
    ['a redirect', page(302), 'unknown_outcome'],
    ['no id', json({ error: 'none' }), 'unknown_outcome'],
    ['an id that is a path', json({ id: '../organization' }), 'unknown_outcome'],
  ])('%s', async (what, create, kind) => {
    runway.script({ create })
    const isPermanent = kind === 'rejected' || (kind === 'unavailable' && what !== 'overload')
    expect(await failure(start())).toMatchObject({ kind, reason: 'input', isPermanent })
  })

  test('names when to come again', async () => {
    runway.script({ create: sample('error-daily-limit') })
    expect((await failure(start())).retryAfterMs).toBe(60_000)
  })

  test('a vendor that is not there has surely not begun', async () => {
    await runway.close()
    expect((await failure(start())).kind).toBe('unavailable')
  })
})

describe('polling', () => {
  test('goes on while it is throttled, pending or running', async () => {
    const { operation } = await start(VIDEO)
    const results = []
    for (let i = 0; i < 4; i++) results.push(await poll(operation))
    expect(results).toMatchObject([
      { state: 'pending', operation },
      { state: 'pending', operation },
      { state: 'pending', operation, progress: 45 },
      { state: 'done', outputs: [{ type: 'file' }] },
    ])
    expect(results.map(result => 'progress' in result)).toEqual([false, false, true, false])
    expect(runway.count('poll')).toBe(4)
  })

  test('never more often than every five seconds, and slower the longer it takes', async () => {
    runway.script({ tasks: [sample('task-running')] })
    const { operation, pollAfterMs } = await start()
    const after = async (ms: number) => {
      const result = await poll(operation, context({ nowMs: NOW + ms }))
      return result.state === 'pending' ? result.pollAfterMs : null
    }
    expect(pollAfterMs).toBe(5_000)
    expect(await after(5_000)).toBe(5_000)
    expect(await after(80_000)).toBe(8_000)
    expect(await after(900_000)).toBe(20_000)
    expect(await after(-9_000)).toBe(5_000)
  })

  test.each([
    [{ status: 'REVIEWING' }, undefined],
    [{ status: 'RUNNING', progress: 'half' }, undefined],
    [{ status: 'RUNNING', progress: 1 }, 99],
    [{ status: 'RUNNING', progress: 0 }, 0],
  ])('%p means running', async (task, progress) => {
    runway.script({ tasks: [json(task)] })
    const result = await poll((await start()).operation)
    if (result.state !== 'pending') throw new Error(result.state)
    expect(result.progress).toBe(progress)
  })

  test('a new task may not be found yet, an old one is gone', async () => {
    runway.script({ tasks: [sample('error-not-found')] })
    const { operation } = await start()
    expect((await poll(operation)).state).toBe('pending')
    const error = await failure(poll(operation, context({ nowMs: LATER })))
    expect(error.kind).toBe('unavailable')
  })

  test.each<[string, ProviderErrorKind, 'content' | 'input']>([
    ['failed-safety-input', 'rejected', 'content'],
    ['failed-safety-output', 'rejected', 'content'],
    ['failed-preprocessing-safety', 'rejected', 'content'],
    ['failed-third-party-safety', 'rejected', 'content'],
    ['failed-asset', 'rejected', 'input'],
    ['failed-third-party-input', 'rejected', 'input'],
    ['failed-bad-output', 'unavailable', 'input'],
    ['failed-internal', 'unavailable', 'input'],
    ['failed-preprocessing-internal', 'unavailable', 'input'],
    ['failed-third-party-down', 'unavailable', 'input'],
    ['failed-without-code', 'unavailable', 'input'],
    ['task-cancelled', 'unavailable', 'input'],
  ])('%s', async (name, kind, reason) => {
    expect(await failure(finish(sample(name)))).toMatchObject({ kind, reason })
  })

  test.each<[string, RunwayAnswer, ProviderErrorKind]>([
    ['a bad key', sample('error-unauthorized'), 'unknown_outcome'],
    ['too many questions', sample('error-daily-limit'), 'rate_limited'],
    ['overload', sample('error-overload'), 'unknown_outcome'],
    ['bad input', sample('error-ratio'), 'unknown_outcome'],
    ['nonsense', json([7]), 'unknown_outcome'],
    ['no output', json({ status: 'SUCCEEDED', output: [] }), 'unavailable'],
    ['no address', json({ status: 'SUCCEEDED', output: ['http://a.example/1'] }), 'unavailable'],
    ['no list', json({ status: 'SUCCEEDED', output: 'https://a.example/1' }), 'unavailable'],
  ])('%s to a poll', async (_, task, kind) => {
    expect((await failure(finish(task))).kind).toBe(kind)
  })

  test('a vendor that cannot be reached is asked again', async () => {
    const { operation } = await start()
    await runway.close()
    expect((await failure(poll(operation))).kind).toBe('unknown_outcome')
  })
})

describe('several outputs', () => {
  test('are a task each, with a seed of its own', async () => {
    const { operation } = await start({ numOutputs: 3, extra: { seed: 2 ** 32 - 2 } })
    expect(runway.bodies()).toMatchObject([
      { seed: 2 ** 32 - 2 },
      { seed: 2 ** 32 - 1 },
      { seed: 0 },
    ])
    for (let i = 0; i < 3; i++) expect((await poll(operation)).state).toBe('pending')
    expect(await poll(operation)).toMatchObject({
      state: 'done',
      outputs: [{}, {}, {}],
      usage: { costMicroUsd: 750_000 },
    })
  })

  test('are one task where the route names a field for them', async () => {
    const config = { fields: { num_outputs: 'outputCount' } }
    const result = await finish(sample('task-succeeded-two'), { numOutputs: 2, config })
    expect(runway.bodies()).toMatchObject([{ outputCount: 2 }])
    expect(result.outputs.map(output => 'url' in output && output.url)).toHaveLength(2)
    expect(result.usage?.costMicroUsd).toBe(100_000)
  })

  test('nobody asked for are left', async () => {
    expect((await finish(sample('task-succeeded-two'))).outputs).toHaveLength(1)
  })

  test('are done when all are, and the progress is that of all', async () => {
    runway.script({ tasks: [sample('task-succeeded')] }, { tasks: [sample('task-running')] })
    const { operation } = await start({ numOutputs: 2 })
    expect(await poll(operation)).toMatchObject({ state: 'pending', progress: 72 })
  })

  test('keep what was made, and are charged what Runway charges', async () => {
    runway.script(
      { tasks: [sample('failed-safety-input')] },
      { tasks: [sample('task-succeeded')] },
      { create: sample('error-daily-limit') },
    )
    const { operation } = await start({ numOutputs: 3 })
    expect(await poll(operation)).toMatchObject({
      state: 'done',
      outputs: [{ type: 'file' }],
      usage: { costMicroUsd: 500_000 },
    })
  })

  test('fail when none was made, for the reason that forbids most, and cost what all cost', async () => {
    runway.script(
      { tasks: [sample('failed-internal')] },
      { tasks: [sample('failed-safety-input')] },
      { tasks: [sample('failed-preprocessing-safety')] },
    )
    const { operation } = await start({ numOutputs: 3 })
    expect(await failure(poll(operation))).toMatchObject({
      kind: 'rejected',
      reason: 'content',
      costMicroUsd: 500_000,
    })
  })

  test('are waited for while one runs, also when another has failed', async () => {
    runway.script({ tasks: [sample('failed-internal')] }, { tasks: [sample('task-running')] })
    const { operation } = await start({ numOutputs: 2 })
    expect(await poll(operation)).toMatchObject({ state: 'pending', progress: 72 })
  })

  test('of which one may have begun are not begun again', async () => {
    runway.script({ create: sample('error-credits') }, { create: page(502) })
    expect((await failure(start({ numOutputs: 2 }))).kind).toBe('unknown_outcome')
  })
})

describe('cost', () => {
  const { cost: _, ...silent } = sample('task-succeeded').body as Operation

  test('is what Runway says, a cent a credit', async () => {
    const config = { cost: { per_output: 1 } }
    expect((await finish(sample('task-succeeded'), { config })).usage?.costMicroUsd).toBe(250_000)
  })

  test('goes by the rates of the route for those of which it does not tell', async () => {
    runway.script({ tasks: [json(silent)] }, { tasks: [sample('task-succeeded')] })
    const config = { cost: { per_output: 30_000 } }
    const { operation } = await start({ numOutputs: 2, config })
    expect(await poll(operation)).toMatchObject({ usage: { costMicroUsd: 280_000 } })
  })

  test.each<[string, number | null, number | null]>([
    ['failed-safety-input', 250_000, 30_000],
    ['failed-safety-output', 0, null],
    ['failed-internal', 0, null],
  ])(
    'of %s is what it says, and without a word that of a refused input',
    async (name, told, not) => {
      const { cost: _, ...unsaid } = sample(name).body as Operation
      const config = { cost: { per_output: 30_000 } }
      expect((await failure(finish(sample(name), { config }))).costMicroUsd).toBe(told)
      expect((await failure(finish(json(unsaid), { config }))).costMicroUsd).toBe(not)
    },
  )

  test('goes by the rates of the route where it says nothing', async () => {
    const config = { cost: { per_second: 50_000, per_call: 7 } }
    expect((await finish(json(silent), { ...VIDEO, config })).usage?.costMicroUsd).toBe(250_007)
    expect((await finish(json(silent), { config })).usage).toEqual({})
  })
})

describe('cancel', () => {
  test('deletes each task', async () => {
    const { operation } = await start({ numOutputs: 2 })
    await provider().cancel?.(operation, context())
    const deleted = runway.calls.filter(call => call.kind === 'delete')
    const { tasks } = operation as { tasks: { id: string }[] }
    expect(deleted.map(call => call.path)).toEqual(tasks.map(({ id }) => `/v1/tasks/${id}`))
  })

  test('says when it was not heard', async () => {
    runway.script({ delete: sample('error-overload') })
    const { operation } = await start()
    expect((await failure(provider().cancel?.(operation, context()))).kind).toBe('unknown_outcome')
  })

  test('of an operation that is not ours asks nobody', async () => {
    const operation = { tasks: [{ id: '../organization', outputs: 1 }], started_at_ms: NOW }
    const error = await failure(provider().cancel?.(operation, context()))
    expect(error.kind).toBe('unknown_outcome')
    expect(runway.calls).toEqual([])
  })
})

describe('the check of the key', () => {
  test('asks for the account', async () => {
    await provider().check?.(context())
    expect(runway.calls).toMatchObject([{ kind: 'organization', method: 'GET' }])
  })

  test.each([null, 'key_wrong'])('fails with the key %p', async apiKey => {
    const error = await failure(provider().check?.(context({ apiKey })))
    expect(error.kind).toBe('unavailable')
  })
})

test('without a base address it is Runway itself that is asked', async () => {
  const urls: string[] = []
  const fetch: ProviderContext['fetch'] = async url => {
    urls.push(url)
    return new Response(JSON.stringify(sample('created').body))
  }
  await createRunway().start(imageInput(IMAGE), context({ fetch }))
  await createRunway().check?.(context({ fetch }))
  expect(urls).toEqual([
    'https://api.dev.runwayml.com/v1/text_to_image',
    'https://api.dev.runwayml.com/v1/organization',
  ])
})

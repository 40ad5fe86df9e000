import { describe, expect, test } from 'bun:test'
import { conformance, imageInput, providerContext, type Situation } from '@test/support/conformance'
import { AppError } from '@/base/errors'
import { sniff } from '@/domain/files/sniff'
import { ProviderError, type ProviderErrorKind } from '@/providers/errors'
import { signSandboxCallback } from '@/providers/sandbox/callback'
import { CLIP } from '@/providers/sandbox/clip'
import { SandboxParams } from '@/providers/sandbox/params'
import { createSandbox, type SandboxOptions } from '@/providers/sandbox/sandbox'
import { sizeOf } from '@/providers/sandbox/size'
import type { Done, Json, Pending, ProviderInput, StartResult } from '@/providers/spec'
import { type DrawRequest, draw } from '@/threads/draw'

/** The least that `aspectRatio` can ask for; what is drawn matters elsewhere. */
const drawSmall = (request: DrawRequest) => draw({ ...request, width: 32, height: 32 })

/** A delay that never ends by itself and rejects when it is aborted. */
function endless(_ms: number, signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

const instant = async () => {}

function sandbox(options: Partial<SandboxOptions> = {}) {
  return createSandbox({ draw: drawSmall, delay: instant, ...options })
}

const SITUATIONS: Record<Situation, ProviderInput['params']> = {
  sync_done: {},
  async_done: { mode: 'async', latency_ms: 9_000 },
  rejected: { fail: 'rejected' },
  rate_limited: { fail: 'rate_limited' },
  unavailable: { fail: 'unavailable' },
  unknown_outcome: { fail: 'unknown_outcome' },
  rejected_later: { mode: 'async', latency_ms: 500, fail: 'rejected' },
  unavailable_later: { mode: 'async', latency_ms: 500, fail: 'unavailable' },
  hangs: { latency_ms: 600_000 },
  hostile_params: { prompt: 'mine', model: 'mine', seed: 1, callback_url: 'mine', api_key: 'mine' },
}

conformance(
  'sandbox',
  () => {
    const { promise: underWay, resolve: onStart } = Promise.withResolvers<void>()
    return {
      provider: sandbox({ delay: endless, onStart: () => onStart() }),
      scenario: of => ({
        input: imageInput({ params: SITUATIONS[of], numOutputs: 2 }),
        ctx: providerContext(),
        underWay,
      }),
      restart: () => sandbox(),
      callback() {
        const hint = { eventId: 'evt_1', isFinal: true }
        const ctx = providerContext({ nowMs: 1_760_000_000_500, apiKey: 'the key' })
        const { body, headers } = signSandboxCallback(hint, ctx)
        return { rawBody: Buffer.from(body), headers: new Headers(headers), ctx, hint }
      },
    }
  },
  { modes: ['sync', 'async'], can: ['cancel', 'parseCallback', 'check'] },
)

function start(
  params: { [key: string]: Json },
  changes: Partial<ProviderInput> = {},
  attemptNumber = 1,
  options: Partial<SandboxOptions> = {},
): Promise<StartResult> {
  const input = imageInput({ params, ...changes })
  return sandbox(options).start(input, providerContext({ attemptNumber }))
}

async function done(result: Promise<StartResult>): Promise<Done> {
  const value = await result
  if (value.state !== 'done') throw new Error(value.state)
  return value
}

async function pending(result: Promise<StartResult>): Promise<Pending> {
  const value = await result
  if (value.state !== 'pending') throw new Error(value.state)
  return value
}

async function kindOf(result: Promise<unknown>): Promise<ProviderErrorKind | 'answered'> {
  try {
    await result
    return 'answered'
  } catch (error) {
    if (error instanceof ProviderError) return error.kind
    throw error
  }
}

function firstBytes({ outputs }: Done): Uint8Array {
  const [output] = outputs
  if (output?.type !== 'file' || !('bytes' in output)) throw new Error('no bytes')
  return output.bytes
}

describe('parameters', () => {
  test('have defaults', () => {
    const defaults = { latency_ms: 0, mode: 'sync', canned: false } as const
    expect(SandboxParams.parse({})).toEqual(defaults)
  })

  test.each([
    { latency: 5 },
    { latency_ms: -1 },
    { latency_ms: 600_001 },
    { latency_ms: 1.5 },
    { mode: 'later' },
    { fail: 'always' },
    { fail_times: -1 },
    { outputs: 5 },
    { canned: 'yes' },
  ])('%p is refused, at submit and here', async params => {
    expect(sandbox().params?.safeParse(params).success).toBe(false)
    const error: unknown = await start(params).catch(thrown => thrown)
    expect(error).toMatchObject({ kind: 'rejected', reason: 'input' })
  })
})

describe('failing on demand', () => {
  test('fail_times counts the attempts of the job', async () => {
    const params = { fail: 'unavailable', fail_times: 2 }
    const kinds: string[] = []
    for (const attempt of [1, 2, 3]) kinds.push(await kindOf(start(params, {}, attempt)))
    expect(kinds).toEqual(['unavailable', 'unavailable', 'answered'])
  })

  test('without fail_times every attempt fails, with 0 none', async () => {
    expect(await kindOf(start({ fail: 'rejected' }, {}, 1_000))).toBe('rejected')
    expect(await kindOf(start({ fail: 'rejected', fail_times: 0 }))).toBe('answered')
  })

  test('in mode async what is about starting comes from the start', async () => {
    for (const fail of ['rate_limited', 'unknown_outcome'] as const) {
      expect(await kindOf(start({ fail, mode: 'async' }))).toBe(fail)
    }
    for (const fail of ['rejected', 'unavailable'] as const) {
      expect((await start({ fail, mode: 'async' })).state).toBe('pending')
    }
  })

  test('a failed attempt in mode async fails once its time has come, and not before', async () => {
    const ctx = providerContext()
    const params = { fail: 'rejected', mode: 'async', latency_ms: 1_000 }
    const { operation } = await pending(sandbox().start(imageInput({ params }), ctx))
    const early = sandbox().poll?.(operation, { ...ctx, nowMs: ctx.nowMs + 999 })
    expect((await early)?.state).toBe('pending')
    const late = sandbox().poll?.(operation, { ...ctx, nowMs: ctx.nowMs + 1_000 })
    expect(await kindOf(Promise.resolve(late))).toBe('rejected')
  })

  test('a drawing that breaks lets another try; a full queue is a rate limit', async () => {
    const broken = () => Promise.reject(new Error('broken'))
    const full = () => Promise.reject(new AppError('busy'))
    expect(await kindOf(start({}, {}, 1, { draw: broken }))).toBe('unavailable')
    expect(await kindOf(start({}, {}, 1, { draw: full }))).toBe('rate_limited')
  })
})

describe('starts', () => {
  test('are reported when work begins, and not when it surely does not', async () => {
    const started: string[] = []
    const onStart = (reference: string) => started.push(reference)
    const count = async (params: { [key: string]: Json }) => {
      started.length = 0
      await kindOf(start(params, {}, 1, { onStart }))
      return started.length
    }
    expect(await count({})).toBe(1)
    expect(await count({ mode: 'async' })).toBe(1)
    expect(await count({ fail: 'unknown_outcome' })).toBe(1)
    expect(await count({ fail: 'rejected' })).toBe(1)
    expect(await count({ mode: 'async', fail: 'unavailable' })).toBe(1)
    expect(await count({ fail: 'unavailable' })).toBe(0)
    expect(await count({ fail: 'rate_limited' })).toBe(0)
    expect(await count({ nonsense: 1 })).toBe(0)
    expect(started).toEqual([])
    await start({}, {}, 1, { onStart })
    expect(started).toEqual(['att_conformance'])
  })

  test('may be repeated unless it is told to be a vendor of another sort', () => {
    expect(sandbox().startIsRepeatable).toBe(true)
    expect('startIsRepeatable' in sandbox({ startIsRepeatable: false })).toBe(false)
  })

  test('wait as long as latency_ms says', async () => {
    const waits: number[] = []
    const delay = async (ms: number) => void waits.push(ms)
    await start({ latency_ms: 1_234 }, {}, 1, { delay })
    await start({}, {}, 1, { delay })
    expect(waits).toEqual([1_234])
  })
})

describe('outputs', () => {
  test('at most as many as `outputs` says', async () => {
    const count = async (outputs: number) =>
      (await done(start({ outputs }, { numOutputs: 3 }))).outputs.length
    expect([await count(0), await count(2), await count(4)]).toEqual([0, 2, 3])
  })

  test.each(['png', 'jpeg', 'webp'] as const)('%s is what was asked for', async outputFormat => {
    const result = await done(start({}, { outputFormat }))
    expect(result.outputs[0]).toMatchObject({ contentType: `image/${outputFormat}` })
    expect((await new Bun.Image(firstBytes(result)).metadata()).format).toBe(outputFormat)
  })

  test('the same seed gives the same bytes, without one the attempt decides', async () => {
    const seeded = { extra: { seed: 7 } }
    const once = firstBytes(await done(start({}, seeded)))
    const input = imageInput(seeded)
    const elsewhere = providerContext({ reference: 'att_other' })
    expect(firstBytes(await done(sandbox().start(input, elsewhere)))).toEqual(once)
    const first = firstBytes(await done(start({})))
    const second = firstBytes(await done(sandbox().start(imageInput(), elsewhere)))
    expect(second).not.toEqual(first)
  })

  test('several outputs of one job differ', async () => {
    const { outputs } = await done(start({}, { numOutputs: 2 }))
    const [first, second] = outputs.map(output => 'bytes' in output && output.bytes)
    expect(second).not.toEqual(first)
  })

  test('canned is one small picture, drawn by nobody, and nobody can spoil it for others', async () => {
    const draw = () => Promise.reject(new Error('nobody draws'))
    const bytes = firstBytes(await done(start({ canned: true }, {}, 1, { draw })))
    expect(bytes.length).toBeLessThan(1_500)
    expect(await new Bun.Image(bytes.slice()).metadata()).toMatchObject({ format: 'png' })
    const before = bytes.slice()
    bytes.fill(0)
    expect(firstBytes(await done(start({ canned: true }, {}, 1, { draw })))).toEqual(before)
  })

  test.each(['image', 'image_edit', 'upscale'])('%s without a prompt is a picture', async kind => {
    expect(firstBytes(await done(start({}, { kind, prompt: null }))).length).toBeGreaterThan(100)
  })

  test('text is a sentence that depends on prompt and seed, with usage', async () => {
    const ask = (prompt: string, seed: number) =>
      done(start({}, { kind: 'text', prompt, extra: { seed } }))
    const answer = await ask('What is a hub?', 1)
    expect(answer.outputs[0]).toMatchObject({ type: 'text' })
    expect(answer.usage).toMatchObject({ inputTokens: 4, costMicroUsd: 0 })
    expect(answer.usage?.outputTokens).toBeGreaterThan(4)
    expect(await ask('What is a hub?', 1)).toEqual(answer)
    expect(await ask('What is a hub?', 2)).not.toEqual(answer)
    expect(await ask('What is a wheel?', 1)).not.toEqual(answer)
  })

  test('a kind that it does not know is refused', async () => {
    const error: unknown = await start({}, { kind: 'sculpture' }).catch(thrown => thrown)
    expect(error).toMatchObject({ kind: 'rejected', reason: 'input' })
  })
})

describe('a video', () => {
  const film = { kind: 'video', aspectRatio: '9:16', extra: { duration_seconds: 8 } }

  test('is a small MP4 that a phone plays while it is still loading', async () => {
    const draw = () => Promise.reject(new Error('nobody draws'))
    const result = await done(start({}, film, 1, { draw }))
    expect(result.outputs[0]).toMatchObject({ contentType: 'video/mp4' })
    expect(result.usage).toEqual({ seconds: CLIP.seconds, costMicroUsd: 0 })
    const bytes = firstBytes(result)
    expect(bytes.length).toBeLessThan(30_000)
    expect(sniff(bytes)).toBe('video/mp4')
    const boxes = boxesOf(bytes)
    expect(boxes.map(({ type }) => type)).toEqual(['ftyp', 'moov', 'free', 'mdat'])
    expect(boxes.reduce((sum, { size }) => sum + size, 0)).toBe(bytes.length)
    const { avc1, mvhd, tkhd } = factsOf(bytes)
    expect(avc1).toEqual({ width: CLIP.width, height: CLIP.height })
    expect(tkhd).toEqual({ width: CLIP.width, height: CLIP.height })
    expect(mvhd).toBe(CLIP.seconds)
  })

  test('comes as often as it was asked for, later where that was asked, and nobody can spoil it', async () => {
    const { outputs } = await done(start({}, { ...film, numOutputs: 3 }))
    const [first, second, third] = outputs.map(output => ('bytes' in output ? output.bytes : null))
    expect(outputs.length).toBe(3)
    first?.fill(0)
    expect(second).not.toEqual(first as never)
    expect(third).toEqual(second as never)
    const ctx = providerContext()
    const params = { mode: 'async', latency_ms: 1_000 }
    const later = await pending(sandbox().start(imageInput({ ...film, params }), ctx))
    const polled = sandbox().poll?.(later.operation, { ...ctx, nowMs: ctx.nowMs + 1_000 })
    expect(await polled).toMatchObject({ state: 'done', outputs: [{ contentType: 'video/mp4' }] })
  })

  test('fails on demand like the rest', async () => {
    expect(await kindOf(start({ fail: 'rejected' }, film))).toBe('rejected')
  })
})

type Box = { type: string; start: number; size: number }

/** The boxes of an MP4 between two places: a length of 32 bits, four letters, content. */
function boxesOf(bytes: Uint8Array, from = 0, to = bytes.length): Box[] {
  const view = Buffer.from(bytes)
  const boxes: Box[] = []
  for (let start = from; start + 8 <= to; ) {
    const size = view.readUInt32BE(start)
    if (size < 8) throw new Error(`a box of ${size} bytes at ${start}`)
    boxes.push({ type: view.toString('latin1', start + 4, start + 8), start, size })
    start += size
  }
  return boxes
}

/** What its index says: the length in seconds, the size of its track and of its H.264 pictures. */
function factsOf(bytes: Uint8Array) {
  const view = Buffer.from(bytes)
  const path = (...types: string[]) =>
    types.reduce<Box>(
      ({ start, size, type }, next) => {
        // Before the boxes within an stsd come its version and the number of its entries.
        const from = start + (type === 'stsd' ? 16 : type === '' ? 0 : 8)
        const found = boxesOf(bytes, from, start + size).find(box => box.type === next)
        if (!found) throw new Error(`no ${next} in ${type}`)
        return found
      },
      { type: '', start: 0, size: bytes.length },
    )
  const mvhd = path('moov', 'mvhd').start
  const tkhd = path('moov', 'trak', 'tkhd').start
  const avc1 = path('moov', 'trak', 'mdia', 'minf', 'stbl', 'stsd', 'avc1').start
  return {
    mvhd: view.readUInt32BE(mvhd + 24) / view.readUInt32BE(mvhd + 20),
    tkhd: {
      width: view.readUInt32BE(tkhd + 84) / 65_536,
      height: view.readUInt32BE(tkhd + 88) / 65_536,
    },
    avc1: { width: view.readUInt16BE(avc1 + 32), height: view.readUInt16BE(avc1 + 34) },
  }
}

describe('sizes', () => {
  test.each([
    ['1:1', 1024, 1024],
    [null, 1024, 1024],
    ['auto', 1024, 1024],
    ['0:0', 1024, 1024],
    ['16:9', 1344, 768],
    ['9:16', 768, 1344],
    ['21:9', 1344, 576],
    ['5:4', 1152, 912],
    ['4:5', 912, 1152],
    ['9:21', 576, 1344],
    ['1000:1', 1344, 176],
  ] as const)('%p is %p x %p', (aspectRatio, width, height) => {
    expect(sizeOf(aspectRatio)).toEqual({ width, height })
  })

  test('every ratio is drawable: steps of 16, at most 1344', () => {
    for (let across = 1; across <= 40; across++) {
      for (let down = 1; down <= 40; down++) {
        const { width, height } = sizeOf(`${across}:${down}`)
        expect([width % 16, height % 16]).toEqual([0, 0])
        expect(Math.max(width, height)).toBeLessThanOrEqual(1_344)
        expect(Math.min(width, height)).toBeGreaterThanOrEqual(160)
      }
    }
  })
})

describe('polling', () => {
  test('tells how far it is and when to ask again', async () => {
    const ctx = providerContext()
    const params = { mode: 'async', latency_ms: 10_000 }
    const started = await pending(sandbox().start(imageInput({ params }), ctx))
    expect(started).toMatchObject({ progress: 0, pollAfterMs: 2_000 })
    const ask = async (ms: number) => {
      const later = { ...ctx, nowMs: ctx.nowMs + ms }
      return await sandbox().poll?.(started.operation, later)
    }
    expect(await ask(5_000)).toMatchObject({ state: 'pending', progress: 50, pollAfterMs: 2_000 })
    expect(await ask(9_300)).toMatchObject({ state: 'pending', progress: 93, pollAfterMs: 700 })
    expect(await ask(9_999)).toMatchObject({ state: 'pending', progress: 99, pollAfterMs: 20 })
    expect(await ask(10_000)).toMatchObject({ state: 'done' })
  })
})

test('a sandbox without a key has callbacks too, and they are not those of one with a key', async () => {
  const { fetch } = providerContext()
  const ctx = { nowMs: 1_760_000_000_000, apiKey: null, webhookSecret: null, fetch }
  const { body, headers } = signSandboxCallback({ eventId: 'e', isFinal: false }, ctx)
  const read = (apiKey: string | null) =>
    sandbox().parseCallback?.(Buffer.from(body), new Headers(headers), { ...ctx, apiKey })
  expect(await read(null)).toEqual({ eventId: 'e', isFinal: false })
  expect(await kindOf(Promise.resolve(read('a key')))).toBe('rejected')
})

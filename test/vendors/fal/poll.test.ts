import { describe, expect, test } from 'bun:test'
import type { ProviderErrorKind } from '@/providers/errors'
import type { Operation } from '@/providers/spec'
import { context, failure, falRig, json, NOW, page } from './rig'
import { sample } from './samples'
import { FAL_KEY, type FalAnswer } from './server'

const rig = falRig()

/** A type that we do not know, as its page will name it one day. */
const retryable = (header: string) =>
  json({ detail: [{ loc: ['body'], msg: 'Come again', type: 'a_new_type' }] }, 422, {
    [header]: 'true',
  })

const typedInput = json(
  { detail: [{ loc: ['body', 'moderation'], msg: 'moderation: unknown', type: 'one_of' }] },
  422,
)

describe('polling', () => {
  test('asks the addresses that it was given, and the result only at the end', async () => {
    const { operation } = await rig.start({ numOutputs: 2 })
    expect(await rig.poll(operation)).toMatchObject({ state: 'pending', operation })
    expect(await rig.poll(operation)).toMatchObject({ state: 'pending', operation })
    expect(rig.fal.count('result')).toBe(0)
    const result = await rig.poll(operation)
    expect(result).toMatchObject({ state: 'done', usage: { seconds: 1.25 } })
    expect([rig.fal.count('status'), rig.fal.count('result')]).toEqual([3, 1])
    expect(
      rig.fal.calls.every(call => call.headers.get('authorization') === `Key ${FAL_KEY}`),
    ).toBe(true)
  })

  test('waits longer the longer it takes', async () => {
    rig.fal.script({ statuses: [sample('status-in-progress')] })
    const { operation, pollAfterMs } = await rig.start()
    const after = async (ms: number) => {
      const result = await rig.poll(operation, context({ nowMs: NOW + ms }))
      return result.state === 'pending' ? result.pollAfterMs : null
    }
    expect(pollAfterMs).toBe(1_000)
    expect(await after(2_000)).toBe(1_000)
    expect(await after(20_000)).toBe(3_000)
    expect(await after(600_000)).toBe(15_000)
    expect(await after(-5_000)).toBe(1_000)
  })

  test('a word that nobody knows means running', async () => {
    rig.fal.script({ statuses: [json({ status: 'WARMING_UP' }, 202)] })
    expect((await rig.poll((await rig.start()).operation)).state).toBe('pending')
  })

  test('a result that is not there yet means running', async () => {
    rig.fal.script({ statuses: [sample('status-completed')], result: sample('error-in-progress') })
    expect((await rig.poll((await rig.start()).operation)).state).toBe('pending')
  })

  test.each<[string, FalAnswer, string, string]>([
    ['content', sample('error-content'), 'rejected', 'content'],
    ['no media', sample('error-no-media'), 'rejected', 'content'],
    ['content in plain words', sample('error-plain-content'), 'rejected', 'content'],
    ['bad input', sample('error-input'), 'rejected', 'input'],
    ['bad input in plain words', sample('error-plain-input'), 'rejected', 'input'],
    ['a picture that it cannot load', sample('error-download'), 'rejected', 'input'],
    ['a breakdown behind it', sample('error-downstream'), 'unavailable', 'input'],
    ['a breakdown', sample('error-internal'), 'unavailable', 'input'],
    ['a new word that may pass', retryable('X-Fal-Retryable'), 'unavailable', 'input'],
    ['the same by the other header', retryable('X-Fal-Needs-Retry'), 'unavailable', 'input'],
    ['a new word', retryable('X-Nothing'), 'rejected', 'input'],
    ['a type, whatever the words beside it', typedInput, 'rejected', 'input'],
    ['a breakdown in plain words', sample('error-plain-500'), 'unavailable', 'input'],
    ['a runner that broke', sample('error-runner'), 'unavailable', 'input'],
    ['a cancelled request', sample('error-cancelled'), 'unavailable', 'input'],
    ['a result that is gone', sample('error-not-found'), 'unavailable', 'input'],
    ['a key that no longer works', sample('error-unauthorized'), 'unknown_outcome', 'input'],
    ['an account without credit', sample('error-exhausted'), 'unknown_outcome', 'input'],
    ['a full house', sample('error-rate-limited'), 'rate_limited', 'input'],
    ['a gateway', page(502), 'unknown_outcome', 'input'],
    ['a page', page(500), 'unknown_outcome', 'input'],
    [
      'no media that we know',
      json({ audio: { url: 'https://a.example/1' } }),
      'unavailable',
      'input',
    ],
  ])('%s as the result', async (_, result, kind, reason) => {
    expect(await failure(rig.finish({ result }))).toMatchObject({ kind, reason })
  })

  test.each<[string, FalAnswer, ProviderErrorKind]>([
    ['gone', sample('error-not-found'), 'unavailable'],
    ['refused for our key', sample('error-unauthorized'), 'unknown_outcome'],
    ['too often asked', sample('error-rate-limited'), 'rate_limited'],
    ['broken', page(503), 'unknown_outcome'],
    ['nonsense', json([7]), 'unknown_outcome'],
  ])('a status that is %s', async (_, status, kind) => {
    expect((await failure(rig.finish({ statuses: [status] }))).kind).toBe(kind)
  })

  test('a failure told by the status alone ends it, though a gateway is in the way', async () => {
    const statuses = [sample('status-completed-error')]
    expect((await failure(rig.finish({ statuses, result: page(502) }))).kind).toBe('unavailable')
    expect((await failure(rig.finish({ statuses, result: json({}) }))).kind).toBe('unavailable')
    const { error_type: _, ...untyped } = sample('status-completed-error').body as Operation
    const told = await failure(rig.finish({ statuses: [json(untyped)], result: page(502) }))
    expect(told.kind).toBe('unavailable')
    const content = { ...(sample('status-completed-error').body as Operation) }
    content.error_type = 'content_policy_violation'
    const error = await failure(rig.finish({ statuses: [json(content)], result: page(502) }))
    expect(error).toMatchObject({ kind: 'rejected', reason: 'content' })
  })

  test('the result decides, whatever the status tells', async () => {
    const statuses = [sample('status-completed-error')]
    expect((await rig.finish({ statuses })).outputs).toHaveLength(1)
  })

  test('a vendor that cannot be reached is asked again', async () => {
    const { operation } = await rig.start()
    await rig.fal.close()
    expect((await failure(rig.poll(operation))).kind).toBe('unknown_outcome')
  })
})

describe('outputs', () => {
  const url = (path: string) => `https://v3.fal.media/files/${path}`
  test.each<[string, number, string[]]>([
    ['result-images', 2, [url('tiger/aGk1.jpeg'), url('tiger/aGk2.jpeg')]],
    ['result-image', 1, [url('koala/dXA.png')]],
    ['result-video', 1, [url('zebra/dmlk.mp4')]],
    ['result-video-list', 1, [url('zebra/dmlk.mp4')]],
    ['result-videos', 1, [url('zebra/dmlk.mp4')]],
  ])('of %s', async (name, numOutputs, urls) => {
    const { outputs } = await rig.finish({ result: sample(name) }, { numOutputs })
    expect(outputs.map(output => ('url' in output ? output.url : null))).toEqual(urls)
  })

  test('inline are bytes', async () => {
    const { outputs } = await rig.finish({ result: sample('result-sync-mode') })
    const [output] = outputs
    if (output?.type !== 'file' || !('bytes' in output)) throw new Error('no bytes')
    expect(await new Bun.Image(output.bytes).metadata()).toMatchObject({ format: 'png', width: 1 })
    expect(output.contentType).toBeNull()
  })

  test('that are flagged are none', async () => {
    const one = await rig.finish({ result: sample('result-one-flagged') }, { numOutputs: 2 })
    expect(one.outputs).toMatchObject([{ url: url('tiger/aGk1.jpeg') }])
    const none = await failure(
      rig.finish({ result: sample('result-all-flagged') }, { numOutputs: 2 }),
    )
    expect(none).toMatchObject({ kind: 'rejected', reason: 'content' })
  })

  test('that nobody asked for are left', async () => {
    expect((await rig.finish({}, { numOutputs: 1 })).outputs).toHaveLength(1)
  })

  test.each(['http://a.example/1.png', 'file:///etc/passwd', 'nonsense', 'data:image/png,raw'])(
    'at %p are none',
    async address => {
      const result = json({ images: [{ url: address }], image: null, has_nsfw_concepts: null })
      expect((await failure(rig.finish({ result }))).kind).toBe('unavailable')
    },
  )
})

describe('several calls', () => {
  const config = { fields: { num_outputs: null }, constants: { raw: true } }

  test('make what one call does not, each with a seed of its own', async () => {
    const { operation } = await rig.start({ numOutputs: 3, extra: { seed: 2 ** 32 - 2 }, config })
    expect(rig.fal.inputs()).toMatchObject([
      { raw: true, seed: 2 ** 32 - 2 },
      { raw: true, seed: 2 ** 32 - 1 },
      { raw: true, seed: 0 },
    ])
    expect(await rig.poll(operation)).toMatchObject({ state: 'pending' })
    await rig.poll(operation)
    const result = await rig.poll(operation)
    if (result.state !== 'done') throw new Error(result.state)
    expect(result.outputs).toHaveLength(3)
    expect(result.usage?.seconds).toBe(3.75)
  })

  test('that are one leave the seed alone', async () => {
    await rig.start({ extra: { seed: 2 ** 40 } })
    expect(rig.fal.inputs()).toMatchObject([{ seed: 2 ** 40 }])
  })

  test('share the outputs', async () => {
    await rig.start({ numOutputs: 3, extra: { seed: -1 }, config: { outputs_per_call: 2 } })
    expect(rig.fal.inputs()).toMatchObject([
      { num_images: 2, seed: -1 },
      { num_images: 1, seed: -1 },
    ])
  })

  test('are done when all are', async () => {
    rig.fal.script(
      { statuses: [sample('status-completed')] },
      { statuses: [sample('status-in-progress'), sample('status-completed')] },
    )
    const { operation } = await rig.start({ numOutputs: 2, config })
    expect((await rig.poll(operation)).state).toBe('pending')
    expect(rig.fal.count('result')).toBe(0)
    expect(await rig.poll(operation)).toMatchObject({ state: 'done', outputs: [{}, {}] })
  })

  test('keep what was made', async () => {
    const statuses = [sample('status-completed')]
    rig.fal.script(
      { statuses, result: sample('error-content') },
      { statuses, result: sample('result-images') },
      { submit: sample('error-rate-limited') },
    )
    const { operation } = await rig.start({ numOutputs: 3, config })
    expect(await rig.poll(operation)).toMatchObject({ state: 'done', outputs: [{ type: 'file' }] })
  })

  test('fail when none made anything, for the first reason', async () => {
    const statuses = [sample('status-completed')]
    rig.fal.script(
      { statuses, result: sample('error-content') },
      { statuses, result: sample('error-internal') },
    )
    const { operation } = await rig.start({ numOutputs: 2, config })
    expect((await failure(rig.poll(operation))).kind).toBe('rejected')
  })

  test('of which one may have begun are not begun again', async () => {
    rig.fal.script({ submit: sample('error-exhausted') }, { submit: page(502) })
    const error = await failure(rig.start({ numOutputs: 2, config }))
    expect(error.kind).toBe('unknown_outcome')
  })

  test('are cancelled all', async () => {
    const { operation } = await rig.start({ numOutputs: 2, config })
    await rig.provider().cancel?.(operation, context())
    expect(rig.fal.count('cancel')).toBe(2)
  })
})

describe('cost by the rates of the route', () => {
  test('of pictures', async () => {
    const config = { cost: { per_output: 3_000, per_call: 100 } }
    expect((await rig.finish({}, { numOutputs: 2, config })).usage?.costMicroUsd).toBe(6_100)
  })

  test('of a video goes by its length', async () => {
    const video = { kind: 'video', config: { cost: { per_second: 70_000 } } }
    const result = sample('result-video')
    const asked = await rig.finish({ result }, { ...video, extra: { duration_seconds: 5 } })
    expect(asked.usage?.costMicroUsd).toBe(350_000)
    expect((await rig.finish({ result }, video)).usage?.costMicroUsd).toBe(87_500)
  })

  test('is not told where there are none', async () => {
    expect((await rig.finish({})).usage).toEqual({ seconds: 1.25 })
    const { metrics: _, ...silent } = sample('status-completed').body as Operation
    expect((await rig.finish({ statuses: [json(silent)] })).usage).toEqual({})
  })
})

describe('cancel', () => {
  test('puts the address that it was given', async () => {
    const { operation } = await rig.start()
    await rig.provider().cancel?.(operation, context())
    expect(rig.fal.calls.at(-1)).toMatchObject({ kind: 'cancel', method: 'PUT' })
  })

  test('of what is over or gone is no error', async () => {
    const { operation } = await rig.start()
    for (const cancel of [sample('cancel-completed'), sample('cancel-not-found')]) {
      rig.fal.script({ cancel })
      await rig.provider().cancel?.((await rig.start()).operation, context())
    }
    await rig.provider().cancel?.(operation, context())
    await rig.provider().cancel?.(operation, context())
    expect(rig.fal.count('cancel')).toBe(4)
  })

  test('says when it was not heard', async () => {
    rig.fal.script({ cancel: page(503) })
    const { operation } = await rig.start()
    expect((await failure(rig.provider().cancel?.(operation, context()))).kind).toBe(
      'unknown_outcome',
    )
  })

  test('without an address does nothing', async () => {
    const { cancel_url: _, ...body } = sample('submitted').body as Operation
    const text = JSON.stringify(body).replaceAll('https://queue.fal.run', rig.fal.origin)
    rig.fal.script({ submit: json(JSON.parse(text)) })
    await rig.provider().cancel?.((await rig.start()).operation, context())
    expect(rig.fal.count('cancel')).toBe(0)
  })
})

import { describe, expect, test } from 'bun:test'
import { conformance, type Harness, imageInput, type Situation } from '@test/support/conformance'
import { createFal } from '@/providers/fal/fal'
import type { Operation, ProviderContext } from '@/providers/spec'
import { context, FLUX, failure, falRig, json, NOW, page } from './rig'
import { sample } from './samples'
import { FAL_KEY, type FalAnswer, type FalScript, startFal } from './server'

const SCRIPTS: Record<Situation, () => FalScript> = {
  sync_done: () => ({}),
  async_done: () => ({}),
  rejected: () => ({ submit: sample('error-input') }),
  rate_limited: () => ({ submit: sample('error-rate-limited') }),
  unavailable: () => ({ submit: sample('error-exhausted') }),
  unknown_outcome: () => ({ submit: page(502) }),
  rejected_later: () => ({ result: sample('error-content') }),
  unavailable_later: () => ({ result: sample('error-runner') }),
  hangs: () => ({}),
  hostile_params: () => ({}),
}

const HOSTILE = {
  prompt: 'mine',
  model: 'mine',
  fal_webhook: 'https://evil.example',
  authorization: 'mine',
}

function harness(): Harness {
  const fal = startFal()
  return {
    provider: createFal({ baseUrl: fal.origin }),
    restart: () => createFal({ baseUrl: fal.origin }),
    close: () => fal.close(),
    scenario(of) {
      const { promise: underWay, resolve } = Promise.withResolvers<void>()
      const hang = () => {
        resolve()
        return new Promise<Response>(() => {})
      }
      fal.script(of === 'hangs' ? { submit: hang } : SCRIPTS[of]())
      const params = of === 'hostile_params' ? HOSTILE : {}
      return { input: imageInput({ ...FLUX, numOutputs: 2, params }), ctx: context(), underWay }
    },
    callback() {
      const { rawBody, headers } = fal.signed(sample('webhook-ok').body, NOW)
      const { request_id: eventId } = sample('webhook-ok').body as { request_id: string }
      const hint = { eventId, isFinal: true }
      return { rawBody, headers: new Headers(headers), ctx: context({ nowMs: NOW + 500 }), hint }
    },
  }
}

conformance('fal', harness, {
  modes: ['async'],
  can: ['cancel', 'parseCallback', 'check'],
  picturesInHand: true,
})

const rig = falRig()

describe('a submit', () => {
  test('has the input as its body, mapped as the route says', async () => {
    await rig.start({
      numOutputs: 2,
      aspectRatio: '16:9',
      outputFormat: 'jpeg',
      extra: { seed: 7 },
      params: { guidance_scale: 4 },
      config: {
        fields: { aspect_ratio: 'image_size' },
        aspect_ratios: { '16:9': { width: 1344, height: 768 } },
        constants: { acceleration: 'regular' },
      },
    })
    const [call] = rig.fal.calls
    expect(call).toMatchObject({ method: 'POST', path: '/fal-ai/flux/schnell' })
    expect(call?.headers.get('authorization')).toBe(`Key ${FAL_KEY}`)
    expect(call?.headers.get('content-type')).toBe('application/json')
    expect(call?.query.has('fal_webhook')).toBe(false)
    expect(call?.body).toEqual({
      acceleration: 'regular',
      guidance_scale: 4,
      seed: 7,
      prompt: 'a lighthouse at dawn',
      image_size: { width: 1344, height: 768 },
      num_images: 2,
      output_format: 'jpeg',
    })
  })

  test('names the callback in the query, whole', async () => {
    const callbackUrl = 'https://hub.example/callbacks/fal/att_1/token?a=1&b=2'
    await rig.start({}, context({ callbackUrl }))
    expect(rig.fal.calls[0]?.query.get('fal_webhook')).toBe(callbackUrl)
  })

  test('goes to the endpoint for pictures when there are some', async () => {
    const images = ['https://a.example/1.png', 'https://a.example/2.png']
    const config = { with_images_model: 'fal-ai/nano-banana/edit' }
    await rig.start({ providerModel: 'fal-ai/nano-banana', kind: 'image_edit', images, config })
    expect(rig.fal.calls[0]).toMatchObject({
      path: '/fal-ai/nano-banana/edit',
      body: { image_urls: images },
    })
  })

  test('has other names there, which are not the caller’s either', async () => {
    const images = ['https://a.example/1.png']
    const config = {
      fields: { images: 'image_url' },
      with_images_fields: { images: 'start_image_url', aspect_ratio: null },
    }
    await rig.start({ images, config })
    expect(rig.fal.inputs()).toEqual([
      { prompt: 'a lighthouse at dawn', start_image_url: images[0], num_images: 1 },
    ])
    const params = { start_image_url: 'mine' }
    expect((await failure(rig.start({ images, config, params }))).kind).toBe('rejected')
  })

  test('has one picture as a text or as a list, as the route says', async () => {
    const images = ['https://a.example/1.png']
    await rig.start({ images })
    await rig.start({ images, config: { fields: { images: 'image_urls[]' } } })
    await rig.start({ images, config: { fields: { images: 'start_image_url' } } })
    expect(rig.fal.inputs()).toMatchObject([
      { image_url: images[0] },
      { image_urls: images },
      { start_image_url: images[0] },
    ])
  })

  test.each([
    ['', '5'],
    ['duration:seconds', '5s'],
    ['duration', 5],
    ['length:text', '5'],
  ])('writes a length as the endpoint reads it: %p', async (name, written) => {
    const fields = name === '' ? {} : { fields: { duration_seconds: name } }
    await rig.start({ kind: 'video', extra: { duration_seconds: 5 }, config: fields })
    const key = name.startsWith('length') ? 'length' : 'duration'
    expect(rig.fal.inputs()).toEqual([
      { prompt: 'a lighthouse at dawn', aspect_ratio: '1:1', [key]: written },
    ])
  })

  test('of an upscale has the picture and what the model asks for', async () => {
    await rig.start({
      providerModel: 'fal-ai/clarity-upscaler',
      kind: 'upscale',
      prompt: null,
      images: ['https://a.example/1.png'],
      outputFormat: 'png',
      extra: { factor: 4 },
      config: { fields: { factor: 'upscale_factor' } },
    })
    expect(rig.fal.inputs()).toEqual([{ image_url: 'https://a.example/1.png', upscale_factor: 4 }])
  })

  test.each([
    '',
    'flux',
    '/fal-ai/flux',
    'fal-ai/../secret',
    'fal-ai/flux?x=1',
    'a b/c',
    'fal-ai/',
  ])('of the endpoint %p never leaves', async providerModel => {
    const error = await failure(rig.start({ providerModel }))
    expect(error).toMatchObject({ kind: 'unavailable', isPermanent: true })
    expect(rig.fal.calls).toEqual([])
  })

  test('of a text never leaves', async () => {
    expect(await failure(rig.start({ kind: 'text' }))).toMatchObject({
      kind: 'rejected',
      reason: 'input',
    })
    expect(rig.fal.calls).toEqual([])
  })

  test('without a key never leaves', async () => {
    expect((await failure(rig.start({}, context({ apiKey: null })))).kind).toBe('unavailable')
    expect(rig.fal.calls).toEqual([])
  })
})

describe('parameters of the caller', () => {
  test.each([
    'sync_mode',
    'enable_safety_checker',
    'safety_tolerance',
    'num_images',
    'max_images',
    'duration',
    'resolution',
    'image_urls',
    'fal_webhook',
    'api_key',
  ])('%s is refused, at submit and here', async name => {
    const params = { [name]: 'mine' }
    expect(rig.provider().params?.safeParse(params).success).toBe(false)
    expect(await failure(rig.start({ params }))).toMatchObject({
      kind: 'rejected',
      reason: 'input',
    })
    expect(rig.fal.calls).toEqual([])
  })

  test.each(['prompt', 'image_url', 'mask_url', 'acceleration'])(
    '%s is refused where the route says what it is',
    async name => {
      const config = { fields: { mask: 'mask_url' }, constants: { acceleration: 'none' } }
      const error = await failure(rig.start({ params: { [name]: 'mine' }, config }))
      expect(error).toMatchObject({ kind: 'rejected', reason: 'input' })
      expect(rig.fal.calls).toEqual([])
    },
  )

  test('whatever else the endpoint takes is sent', async () => {
    const params = {
      style: 'REALISTIC',
      constructor: 'sent too',
      loras: [{ path: 'https://a.example/l.safetensors' }],
    }
    expect(rig.provider().params?.safeParse(params).success).toBe(true)
    await rig.start({ params })
    expect(rig.fal.inputs()).toMatchObject([params])
  })
})

describe('an answer to a submit', () => {
  test.each<[string, FalAnswer, string, string]>([
    ['bad input', sample('error-input'), 'rejected', 'input'],
    ['a picture that it cannot load', sample('error-download'), 'rejected', 'input'],
    ['bad input in plain words', sample('error-plain-input'), 'rejected', 'input'],
    ['content', sample('error-content'), 'rejected', 'content'],
    ['content in plain words', sample('error-plain-content'), 'rejected', 'content'],
    ['a bad key', sample('error-unauthorized'), 'unavailable', 'input'],
    ['no credit', sample('error-exhausted'), 'unavailable', 'input'],
    ['payment required', json({ detail: 'Payment required' }, 402), 'unavailable', 'input'],
    ['an unknown endpoint', sample('error-not-found'), 'unavailable', 'input'],
    ['a full house', sample('error-rate-limited'), 'rate_limited', 'input'],
    ['no runner', sample('error-runner'), 'unavailable', 'input'],
    ['a breakdown', sample('error-internal'), 'unknown_outcome', 'input'],
    ['a gateway', page(504), 'unknown_outcome', 'input'],
    ['a redirect', page(302), 'unknown_outcome', 'input'],
    ['no request id', json({ status: 'IN_QUEUE' }), 'unknown_outcome', 'input'],
  ])('%s', async (what, submit, kind, reason) => {
    rig.fal.script({ submit })
    const isPermanent = kind === 'rejected' || (kind === 'unavailable' && what !== 'no runner')
    expect(await failure(rig.start())).toMatchObject({ kind, reason, isPermanent } as object)
  })

  test('names when to come again', async () => {
    rig.fal.script({ submit: sample('error-rate-limited') })
    expect((await failure(rig.start())).retryAfterMs).toBe(7_000)
  })

  test('a vendor that is not there has surely not begun', async () => {
    await rig.fal.close()
    expect((await failure(rig.start())).kind).toBe('unavailable')
  })

  test.each([
    'https://evil.example/requests/1/status',
    'https://queue.fal.run.evil.example/requests/1/status',
    'https://queue.fal.run@evil.example/requests/1/status',
    'http://127.0.0.1:1/requests/1/status',
    'file:///etc/passwd',
    'nonsense',
  ])('with the address %p never gets the key', async address => {
    for (const field of ['status_url', 'response_url', 'cancel_url']) {
      const body = { ...(sample('submitted').body as Operation), [field]: address }
      const text = JSON.stringify(body).replaceAll('https://queue.fal.run/fal-ai', rig.fal.origin)
      rig.fal.script({ submit: json(JSON.parse(text)) })
      expect((await failure(rig.start())).kind).toBe('unknown_outcome')
    }
    expect(rig.fal.count('status')).toBe(0)
  })

  test.each(['https://evil.example', 'http://name@127.0.0.1', 'http://:password@127.0.0.1'])(
    'an operation with addresses at %p is not asked about',
    async other => {
      const { operation } = await rig.start()
      const origin = other.replace('127.0.0.1', rig.fal.origin.replace('http://', ''))
      const text = JSON.stringify(operation).replaceAll(rig.fal.origin, origin)
      const asked: string[] = []
      const watched: ProviderContext['fetch'] = url => {
        asked.push(url)
        return Promise.reject(new TypeError('asked'))
      }
      const error = await failure(rig.poll(JSON.parse(text), context({ fetch: watched })))
      expect(error.kind).toBe('unknown_outcome')
      expect(asked).toEqual([])
    },
  )
})

describe('the check of the key', () => {
  test('asks for a price', async () => {
    await rig.provider().check?.(context())
    expect(rig.fal.calls).toMatchObject([{ kind: 'pricing', method: 'GET' }])
    expect(rig.fal.calls[0]?.query.get('endpoint_id')).toBe('fal-ai/flux/schnell')
    expect(JSON.stringify(sample('pricing').body)).toContain('fal-ai/flux/schnell')
  })

  test.each([null, 'a:wrong-key'])('fails with the key %p', async apiKey => {
    const error = await failure(rig.provider().check?.(context({ apiKey })))
    expect(error.kind).toBe('unavailable')
  })
})

test('without a base address it is fal itself that is asked, and nobody else', async () => {
  const urls: string[] = []
  const fetch: ProviderContext['fetch'] = async url => {
    urls.push(url)
    return new Response(JSON.stringify(sample('submitted').body))
  }
  const real = createFal()
  const ctx = context({ fetch })
  const started = await real.start(imageInput(FLUX), ctx)
  if (started.state !== 'pending') throw new Error(started.state)
  await real.poll?.(started.operation, ctx)
  await real.cancel?.(started.operation, ctx)
  await real.check?.(ctx)
  const { rawBody, headers } = rig.fal.signed(sample('webhook-ok').body, NOW)
  await failure(real.parseCallback?.(rawBody, new Headers(headers), ctx))
  const request = 'https://queue.fal.run/fal-ai/flux/requests/80e732af-660e-45cd-bd63-580e4f2a94cc'
  expect(urls).toEqual([
    'https://queue.fal.run/fal-ai/flux/schnell',
    `${request}/status`,
    `${request}/cancel`,
    'https://api.fal.ai/v1/models/pricing?endpoint_id=fal-ai/flux/schnell',
    'https://rest.fal.ai/.well-known/jwks.json',
  ])
})

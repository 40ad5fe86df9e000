import { afterEach, describe, expect, test } from 'bun:test'
import { dataUrl, pictureBytes, pictureInHand, piecesOf } from '@test/support/pictures'
import { BlockedDestination, FetchFailure } from '@/base/safe-fetch'
import { ProviderError, type ProviderErrorKind } from '@/providers/errors'
import type {
  CallbackContext,
  CallbackHint,
  Done,
  Operation,
  Output,
  Pending,
  Provider,
  ProviderContext,
  ProviderInput,
  StartResult,
} from '@/providers/spec'

/**
 * What every adapter must do, whatever its vendor. An adapter's test brings a harness: the
 * provider, and for each situation an input and a context under which its vendor (for most of them
 * a fake server that speaks the vendor's wire format) behaves that way. The suite brings the
 * assertions.
 */
export function conformance(
  name: string,
  make: () => Harness | Promise<Harness>,
  { modes, can, callbacks = 'signed', picturesInHand = false }: Declared,
): void {
  describe(`${name} conforms`, () => {
    let open: Harness | null = null

    afterEach(async () => {
      await open?.close?.()
      open = null
    })

    async function harness(): Promise<Harness> {
      open = await make()
      return open
    }

    async function situation(of: Situation): Promise<{ provider: Provider } & Scenario> {
      const { provider, scenario } = await harness()
      const { input, ctx, verify } = await scenario(of)
      return { provider, input: frozen(input), ctx, ...(verify ? { verify } : {}) }
    }

    test('what it can do is what is tested here', async () => {
      const { provider, callback } = await harness()
      expect(provider.name).toBe(name)
      expect(modes.length).toBeGreaterThan(0)
      expect(provider.poll !== undefined).toBe(modes.includes('async'))
      for (const capability of CAPABILITIES) {
        expect([capability, provider[capability] !== undefined]).toEqual([
          capability,
          can.includes(capability),
        ])
      }
      expect(callback !== undefined).toBe(can.includes('parseCallback'))
    })

    if (modes.includes('sync')) {
      test('a start that answers at once is done', async () => {
        const { provider, input, ctx, verify } = await situation('sync_done')
        const result = await orProviderError(provider.start(input, ctx), ctx)
        expectDone(result, input)
        await verify?.()
      })
    }

    if (modes.includes('async')) {
      test('a start that takes its time is polled until it is done', async () => {
        const { provider, input, ctx, verify } = await situation('async_done')
        const started = expectPending(await orProviderError(provider.start(input, ctx), ctx), ctx)
        expectDone(await pollToEnd(provider, started, ctx), input)
        await verify?.()
      })

      test('an operation survives storage, a restart and being asked again after the end', async () => {
        const { provider, input, ctx } = await situation('async_done')
        const started = await orProviderError(provider.start(input, ctx), ctx)
        const { operation } = expectPending(started, ctx)
        const stored: Operation = JSON.parse(JSON.stringify(operation))
        expect(stored).toStrictEqual(operation)
        const restarted = open?.restart?.() ?? provider
        const revived = { ...expectPending(started, ctx), operation: frozen(stored) }
        const first = expectDone(await pollToEnd(restarted, revived, ctx), input)
        const later = { ...ctx, nowMs: ctx.nowMs + 24 * 3_600_000 }
        const again = await orProviderError(poll(restarted, revived.operation, later), later)
        expect(expectDone(again, input).outputs.length).toBe(first.outputs.length)
      })

      test('a final no that comes later comes from the poll', async () => {
        const { provider, input, ctx } = await situation('rejected_later')
        const started = await orProviderError(provider.start(input, ctx), ctx)
        const pending = expectPending(started, ctx)
        await expectKind(pollToEnd(provider, pending, ctx), 'rejected', ctx)
      })

      test('a breakdown that comes later lets another provider try', async () => {
        const { provider, input, ctx } = await situation('unavailable_later')
        const started = await orProviderError(provider.start(input, ctx), ctx)
        const pending = expectPending(started, ctx)
        await expectKind(pollToEnd(provider, pending, ctx), 'unavailable', ctx)
      })

      test('an operation that it did not make is nothing it knows the end of', async () => {
        const { provider, ctx } = await situation('async_done')
        for (const operation of [{}, { nonsense: true }, { id: null, url: 7, status: [] }]) {
          await expectKind(poll(provider, operation, ctx), 'unknown_outcome', ctx)
        }
      })

      test('an aborted poll ends at once and says nothing of the job', async () => {
        const { provider, input, ctx } = await situation('async_done')
        const started = await orProviderError(provider.start(input, ctx), ctx)
        const { operation } = expectPending(started, ctx)
        const aborted = { ...ctx, signal: AbortSignal.abort() }
        await expectKind(poll(provider, operation, aborted), 'unknown_outcome', aborted)
      })

      test('a poll without a key does not end the job', async () => {
        const { provider, input, ctx } = await situation('async_done')
        if (provider.isKeyless) return
        const started = await orProviderError(provider.start(input, ctx), ctx)
        const { operation } = expectPending(started, ctx)
        const keyless = { ...ctx, apiKey: null }
        await expectKind(poll(provider, operation, keyless), 'unknown_outcome', keyless)
      })

      for (const [what, answer] of [...BROKEN_ANSWERS, ...UNSENT, ...BROKEN_VENDOR]) {
        test(`${what} to a poll does not end the job`, async () => {
          const { provider, input, ctx } = await situation('async_done')
          const started = await orProviderError(provider.start(input, ctx), ctx)
          const { operation } = expectPending(started, ctx)
          const broken = { ...ctx, fetch: answer }
          const outcome = await poll(provider, operation, broken).catch((error: unknown) => error)
          if (!(outcome instanceof Error)) return expectAnswer(outcome as StartResult, input, ctx)
          expectOurs(outcome, 'unknown_outcome', ctx)
        })
      }

      if (can.includes('cancel')) {
        test('cancel may be said twice', async () => {
          const { provider, input, ctx } = await situation('async_done')
          const started = await orProviderError(provider.start(input, ctx), ctx)
          const operation = frozen(expectPending(started, ctx).operation)
          await orProviderError(must(provider.cancel?.(operation, ctx)), ctx)
          await orProviderError(must(provider.cancel?.(operation, ctx)), ctx)
        })
      }
    }

    for (const kind of ['rejected', 'rate_limited', 'unavailable', 'unknown_outcome'] as const) {
      test(`the vendor's ${kind} is ours`, async () => {
        const { provider, input, ctx, verify } = await situation(kind)
        const error = await expectKind(provider.start(input, ctx), kind, ctx)
        if (kind === 'rate_limited') expect(error.retryAfterMs).toBeGreaterThan(0)
        await verify?.()
      })
    }

    test('without a key nothing starts, however often it is tried', async () => {
      const { provider, input, ctx } = await situation(firstOf(modes))
      if (provider.isKeyless) return
      const keyless = { ...ctx, apiKey: null, fetch: nobodyAsks }
      const error = await expectKind(provider.start(input, keyless), 'unavailable', keyless)
      expect(error.isPermanent).toBe(true)
    })

    test('a key that the vendor refuses is refused for good, and is not repeated', async () => {
      const { provider, input, ctx } = await situation(firstOf(modes))
      if (provider.isKeyless) return
      const refused = { ...ctx, fetch: async () => unauthorized(ctx) }
      const error = await expectKind(provider.start(input, refused), 'unavailable', refused)
      expect(error.isPermanent).toBe(true)
    })

    for (const [what, answer] of UNSENT) {
      test(`${what} is proof that nothing began`, async () => {
        const { provider, input, ctx } = await situation(firstOf(modes))
        if (provider.isKeyless) return
        const unsent = { ...ctx, fetch: answer }
        const error = await expectKind(provider.start(input, unsent), 'unavailable', unsent)
        expect(error.isPermanent).toBe(false)
      })
    }

    test('an abort before the start', async () => {
      const { provider, input, ctx } = await situation('hangs')
      const aborted = { ...ctx, signal: AbortSignal.abort() }
      await expectKind(provider.start(input, aborted), 'unknown_outcome', aborted)
    })

    test('an abort in the middle of a start', async () => {
      const { provider, scenario } = await harness()
      const { input, ctx, underWay } = await scenario('hangs')
      const controller = new AbortController()
      const listening = { ...ctx, signal: controller.signal }
      const result = expectKind(provider.start(frozen(input), listening), 'unknown_outcome', ctx)
      await underWay
      controller.abort()
      await result
    })

    test("the caller's parameters overwrite nothing that we set", async () => {
      const { provider, input, ctx, verify } = await situation('hostile_params')
      expect(Object.keys(input.params).length).toBeGreaterThan(0)
      const outcome = await provider.start(input, ctx).catch((error: unknown) => error)
      if (outcome instanceof ProviderError) {
        expect(outcome.kind).toBe('rejected')
        return expect(outcome.reason).toBe('input')
      }
      expect(outcome).not.toBeInstanceOf(Error)
      if (!verify) throw new Error('taken without an error: the scenario must verify what was sent')
      await verify()
    })

    for (const [what, answer] of BROKEN_ANSWERS) {
      test(`${what} is no proof that nothing began`, async () => {
        const { provider, input, ctx } = await situation(firstOf(modes))
        const broken = { ...ctx, fetch: answer }
        const outcome = await provider.start(input, broken).catch((error: unknown) => error)
        if (!(outcome instanceof Error)) return expectAnswer(outcome as StartResult, input, ctx)
        expectOurs(outcome, 'unknown_outcome', ctx)
      })
    }

    if (can.includes('check')) {
      test('a check of the key passes, and without the vendor it is a ProviderError', async () => {
        const { provider, ctx } = await situation(firstOf(modes))
        await orProviderError(must(provider.check?.(ctx)), ctx)
        const broken = { ...ctx, fetch: () => Promise.reject(new TypeError('connection reset')) }
        const check = must(provider.check?.(broken))
        const outcome = await check.catch((error: unknown) => error)
        if (outcome !== undefined) expect(outcome).toBeInstanceOf(ProviderError)
      })
    }

    if (can.includes('find')) {
      test('a start is found by its reference, and one that never was is not', async () => {
        const { provider, input, ctx } = await situation(firstOf(modes))
        const find = (reference: string) =>
          orProviderError(must(provider.find?.(reference, ctx, input)), ctx)
        expect(await find(ctx.reference)).toBeNull()
        const started = await orProviderError(provider.start(input, ctx), ctx)
        const found = await find(ctx.reference)
        if (!found) throw new Error('the start was not found')
        if (started.state === 'done' || found.state === 'done') {
          return expectAnswer(found, input, ctx)
        }
        expect(found.operation).toEqual(started.operation)
        expectDone(await pollToEnd(provider, found, ctx), input)
      })
    }

    if (picturesInHand) {
      test('pictures in hand are taken, and nothing of them turns up in an operation', async () => {
        const { provider, input, ctx } = await situation(firstOf(modes))
        const images = [SMALL, LARGE, SMALL]
        const started = await orProviderError(provider.start({ ...input, images }, ctx), ctx)
        if (started.state === 'done') return void expectDone(started, input)
        const { operation } = expectPending(started, ctx)
        expectNothingOf(images, JSON.stringify(operation))
        expect(JSON.stringify(operation).length).toBeLessThan(MOST_OF_AN_OPERATION)
        expectDone(await pollToEnd(provider, started, ctx), input)
      })

      for (const [what, status] of QUOTING) {
        for (const images of [[SMALL], [LARGE]]) {
          const size = images[0] === SMALL ? 'small' : 'large'
          test(`${what} that quotes a ${size} picture in hand brings nothing of it into an error`, async () => {
            const { provider, input, ctx } = await situation(firstOf(modes))
            const quoting = { ...ctx, fetch: async () => quotation(images, status) }
            const start = provider.start({ ...input, images }, quoting)
            expectNothingOf(images, await told(start))
            if (!modes.includes('async')) return
            const slow = await must(open ?? undefined).scenario('async_done')
            const begun = await provider.start(frozen(slow.input), slow.ctx)
            const { operation } = expectPending(begun, slow.ctx)
            const later = poll(provider, operation, { ...slow.ctx, fetch: quoting.fetch })
            expectNothingOf(images, await told(later))
          })
        }
      }

      for (const [what, image] of NO_PICTURES) {
        test(`${what} in the place of a picture is refused before anybody is asked`, async () => {
          const { provider, input, ctx } = await situation(firstOf(modes))
          const unasked = { ...ctx, fetch: nobodyAsks }
          const start = provider.start({ ...input, images: [SMALL, image] }, unasked)
          const error = await expectKind(start, 'rejected', ctx)
          expect(error.reason).toBe('input')
          expectNothingOf([image], textOf(error))
        })
      }
    }

    if (!can.includes('parseCallback')) return
    if (callbacks === 'signed') callbackTests(harness)
    else unsignedCallbackTests(harness)
  })
}

export type Declared = {
  modes: readonly Mode[]
  can: readonly Capability[]
  /**
   * `unsigned`: this vendor signs nothing, so that whoever knows the address may say anything. Then a
   * callback is no more than a hint to ask.
   */
  callbacks?: 'signed' | 'unsigned'
  /** It takes pictures that no vendor could fetch, small ones and large ones. */
  picturesInHand?: boolean
}

export type Capability = 'cancel' | 'parseCallback' | 'find' | 'check'
export type Mode = 'sync' | 'async'

/**
 * - `sync_done`, `async_done`  a good job, and `async_done` needs at least one poll
 * - `rejected` ... `unknown_outcome`  what the vendor does to the start; `rate_limited` names a
 *   time
 * - `rejected_later`, `unavailable_later`  the start is accepted and the job fails at the vendor
 * - `hangs`  the start is not answered before the test ends
 * - `hostile_params`  `params` that try to replace the prompt, the model, the callback address and
 *   the key
 */
export type Situation =
  | 'sync_done'
  | 'async_done'
  | ProviderErrorKind
  | 'rejected_later'
  | 'unavailable_later'
  | 'hangs'
  | 'hostile_params'

export type Scenario = {
  input: ProviderInput
  ctx: ProviderContext
  /**
   * For `hangs`: resolves when the vendor has the request. Without it the abort comes right after
   * the call.
   */
  underWay?: Promise<unknown>
  /** Asserts on what the vendor was sent; called after the scenario has run. */
  verify?(): void | Promise<void>
}

export type Harness = {
  provider: Provider
  scenario(of: Situation): Scenario | Promise<Scenario>
  /** The same adapter made anew over the same vendor, as after a restart. */
  restart?(): Provider
  /** A true callback as the vendor sends it, and what it must be read as. */
  callback?(): TrueCallback | Promise<TrueCallback>
  close?(): void | Promise<void>
}

export type TrueCallback = {
  rawBody: Uint8Array
  headers: Headers
  ctx: CallbackContext
  hint: CallbackHint
}

/** An input that asks for one plain picture; a scenario changes what it needs. */
export function imageInput(changes: Partial<ProviderInput> = {}): ProviderInput {
  return {
    providerModel: 'model-of-the-vendor',
    kind: 'image',
    prompt: 'a lighthouse at dawn',
    images: [],
    aspectRatio: '1:1',
    numOutputs: 1,
    outputFormat: null,
    extra: {},
    params: {},
    config: {},
    ...changes,
  }
}

/**
 * A context with a fixed time, ten minutes of it, a key that must turn up nowhere, and no network unless one
 * is given.
 */
export function providerContext(changes: Partial<ProviderContext> = {}): ProviderContext {
  const { nowMs = 1_760_000_000_000 } = changes
  return {
    fetch: () => Promise.reject(new TypeError('this test has no network')),
    apiKey: 'key-that-nobody-may-see',
    webhookSecret: null,
    signal: new AbortController().signal,
    reference: 'att_conformance',
    attemptNumber: 1,
    callbackUrl: null,
    nowMs,
    deadlineMs: nowMs + 10 * 60_000,
    ...changes,
  }
}

const CAPABILITIES: readonly Capability[] = ['cancel', 'parseCallback', 'find', 'check']
const MOST_POLLS = 50

/**
 * Answers after which the vendor may well be working. A vendor's own errors with their own meaning
 * are the scenarios' business; these are what any vendor's network, proxy or bad day produces.
 */
const BROKEN_ANSWERS: [string, ProviderContext['fetch']][] = [
  ['a connection reset', () => Promise.reject(new TypeError('connection reset'))],
  ['a thrown thing that is no error', () => Promise.reject('reset')],
  ['an HTML page with status 200', async () => page('<html>hello</html>', 'text/html')],
  ['an empty answer with status 200', async () => page('', 'application/json')],
  ['JSON that stops in the middle', async () => page('{"id": "abc", "sta', 'application/json')],
  ['JSON of no shape that we know', async () => page('[null, 7]', 'application/json')],
  ['the word null', async () => page('null', 'application/json')],
]

/** To a poll these say only that the vendor cannot tell now: the job itself may be doing well. */
const BROKEN_VENDOR: [string, ProviderContext['fetch']][] = [500, 502, 503, 504].map(status => [
  `a status ${status}`,
  async () => new Response('{"error": "try later"}', { status }),
])

/** Surely no byte of a request reached the vendor; but that ends no job that it has. */
const UNSENT: [string, ProviderContext['fetch']][] = [
  [
    'a connection that is refused',
    () => Promise.reject(new FetchFailure('connection_refused', false)),
  ],
  [
    'an address that may not be called',
    () => Promise.reject(new BlockedDestination('it is a private address')),
  ],
]

const nobodyAsks: ProviderContext['fetch'] = () => {
  throw new Error('asked without a key')
}

/** It quotes the key, as some do. */
function unauthorized({ apiKey }: ProviderContext): Response {
  const message = `Invalid key: ${apiKey}`
  return Response.json({ error: { message }, detail: message }, { status: 401 })
}

function page(body: string, type: string): Response {
  return new Response(body, { status: 200, headers: { 'content-type': type } })
}

/** For what the declared capabilities promise. */
function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('declared, but not there')
  return value
}

function firstOf(modes: readonly Mode[]): 'sync_done' | 'async_done' {
  return modes.includes('sync') ? 'sync_done' : 'async_done'
}

async function poll(
  provider: Provider,
  operation: Operation,
  ctx: ProviderContext,
): Promise<StartResult> {
  if (!provider.poll) throw new Error('a provider that answers pending must have poll')
  return await provider.poll(frozen(operation), ctx)
}

/**
 * Lets the time that the provider asks for pass on paper, and polls, until it is done or throws.
 */
async function pollToEnd(
  provider: Provider,
  pending: Pending,
  ctx: ProviderContext,
): Promise<StartResult> {
  let { operation, pollAfterMs } = pending
  let { nowMs } = ctx
  for (let polls = 0; polls < MOST_POLLS; polls++) {
    nowMs += pollAfterMs
    const result = await poll(provider, operation, { ...ctx, nowMs })
    if (result.state === 'done') return result
    expectPending(result, ctx)
    ;({ operation, pollAfterMs } = result)
  }
  throw new Error(`not done after ${MOST_POLLS} polls`)
}

/**
 * The value, or a failed test that says what came instead; anything thrown must be a ProviderError.
 */
async function orProviderError<T>(promise: Promise<T>, ctx: ProviderContext): Promise<T> {
  try {
    return await promise
  } catch (error) {
    expectNoSecret(error, ctx)
    expect(error).toBeInstanceOf(ProviderError)
    throw error
  }
}

async function expectKind(
  promise: Promise<unknown>,
  kind: ProviderErrorKind,
  ctx: ProviderContext,
): Promise<ProviderError> {
  const outcome = await promise.then(
    value => ({ value }),
    (error: unknown) => ({ error }),
  )
  if (!('error' in outcome)) {
    throw new Error(`expected ${kind}, but it answered ${JSON.stringify(outcome.value)}`)
  }
  return expectOurs(outcome.error, kind, ctx)
}

function expectOurs(error: unknown, kind: ProviderErrorKind, ctx: ProviderContext): ProviderError {
  if (!(error instanceof ProviderError)) throw new Error(`not a ProviderError: ${error}`)
  expectNoSecret(error, ctx)
  expect(error.kind).toBe(kind)
  return error
}

/** Messages go to the log, so not even the log learns the key. */
function expectNoSecret(error: unknown, { apiKey }: ProviderContext): void {
  if (apiKey !== null) expect(String(error)).not.toContain(apiKey)
}

function expectPending(result: StartResult, { apiKey }: ProviderContext): Pending {
  if (result.state !== 'pending') throw new Error(`expected pending, got ${result.state}`)
  expect(result.pollAfterMs).toBeGreaterThan(0)
  if (result.progress !== undefined) {
    expect(result.progress).toBeGreaterThanOrEqual(0)
    expect(result.progress).toBeLessThanOrEqual(99)
  }
  if (apiKey !== null) expect(JSON.stringify(result.operation)).not.toContain(apiKey)
  return result
}

function expectDone(result: StartResult, input: ProviderInput): Done {
  if (result.state !== 'done') throw new Error(`expected done, got ${result.state}`)
  expect(result.outputs.length).toBe(input.numOutputs)
  for (const output of result.outputs) expectOutput(output)
  for (const number of Object.values(result.usage ?? {})) {
    expect(number).toBeGreaterThanOrEqual(0)
  }
  return result
}

/**
 * Of a vendor that needs no network the broken network is no excuse: its answer must be a whole
 * one.
 */
function expectAnswer(result: StartResult, input: ProviderInput, ctx: ProviderContext): void {
  if (result.state === 'done') expectDone(result, input)
  else expectPending(result, ctx)
}

function expectOutput(output: Output): void {
  if (output.type === 'text') {
    expect(output.text.trim()).not.toBe('')
  } else if (output.type === 'json') {
    expect(output.value).not.toBeNull()
  } else if ('url' in output) {
    expect(new URL(output.url).protocol).toBe('https:')
  } else {
    expect(output.bytes.length).toBeGreaterThan(0)
    const sniffed = sniff(output.bytes)
    expect(sniffed).not.toBeNull()
    if (output.contentType !== null) expect(sniffed).toBe(output.contentType)
  }
}

/** The first goes into any request; the second goes up by itself where a vendor has a place for files. */
const SMALL = pictureInHand(1_500)
const LARGE = pictureInHand(4_500_000)
/** Some addresses, ids and numbers for each of a few calls. */
const MOST_OF_AN_OPERATION = 4_096

const QUOTING: [string, number][] = [
  ['a refusal', 400],
  ['a refusal of what was sent', 422],
  ['a breakdown', 500],
  ['a success of no known form', 200],
  ['a limit', 429],
]

/** In all the places where vendors have words of their own, with the name of its form and without it. */
function quotation(images: readonly string[], status: number): Response {
  const message = images
    .map(image => `cannot read ${image}, in full ${image.slice(image.indexOf(',') + 1)}`)
    .join()
  return Response.json(
    {
      error: { code: status, status: 'INVALID_ARGUMENT', message, type: message },
      detail: message,
      title: message,
      message,
      code: 7,
    },
    { status },
  )
}

const NO_PICTURES: [string, string][] = [
  ['a page', dataUrl(Buffer.from('<html>'.repeat(100)), 'text/html')],
  ['a drawing', dataUrl(Buffer.from('<svg/>'.repeat(100)), 'image/svg+xml')],
  ['a page that is called a picture', dataUrl(Buffer.from('<html>'.repeat(100)), 'image/png')],
  ['a picture of another kind', dataUrl(pictureBytes(900, 'jpeg'), 'image/png')],
  ['base64 that is cut short', pictureInHand(900).slice(0, -1)],
  ['base64 with a line break', pictureInHand(900).replace(/.{76}$/, '\n$&')],
  ['percent encoding', `data:image/png,${'%89PNG'.repeat(200)}`],
  ['nothing', 'data:image/png;base64,'],
]

/** What is left of an outcome, be it an error or an answer. */
async function told(outcome: Promise<StartResult>): Promise<string> {
  return await outcome.then(
    value => JSON.stringify(value),
    (error: unknown) => textOf(error),
  )
}

/** The message, the stack, and those of all causes. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return `${error.message}\n${error.stack}\n${error.cause ? textOf(error.cause) : ''}`
}

function expectNothingOf(images: readonly string[], text: string): void {
  const found = images.flatMap(piecesOf).filter(piece => piece !== '' && text.includes(piece))
  expect(found).toEqual([])
}

/** What the first bytes say they are. */
function sniff(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.subarray(0, 12)).toString('latin1')
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png'
  if (head.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (head.startsWith('RIFF') && head.endsWith('WEBP')) return 'image/webp'
  if (head.startsWith('GIF8')) return 'image/gif'
  if (head.slice(4, 8) === 'ftyp') return 'video/mp4'
  if (head.startsWith('\x1aE\xdf\xa3')) return 'video/webm'
  return null
}

function callbackTests(harness: () => Promise<Harness>): void {
  async function read(change: (callback: TrueCallback) => TrueCallback): Promise<CallbackHint> {
    const { provider, callback } = await harness()
    if (!provider.parseCallback || !callback) throw new Error('a callback is declared, none given')
    const { rawBody, headers, ctx } = change(await callback())
    return await provider.parseCallback(rawBody, headers, ctx)
  }

  test('a true callback is believed', async () => {
    let expected: CallbackHint | null = null
    const hint = await read(callback => {
      expected = callback.hint
      return callback
    })
    expect(expected).not.toBeNull()
    expect<CallbackHint | null>(hint).toEqual(expected)
  })

  for (const [what, change] of FORGERIES) {
    test(`a callback ${what} is refused`, async () => {
      await expectKind(read(change), 'rejected', providerContext())
    })
  }
}

const FORGERIES: [string, (callback: TrueCallback) => TrueCallback][] = [
  ['without headers', callback => ({ ...callback, headers: new Headers() })],
  ['with another body', callback => ({ ...callback, rawBody: withAnotherByte(callback.rawBody) })],
  ['with a body put behind it', callback => ({ ...callback, rawBody: longer(callback.rawBody) })],
  [
    'with every header value cut short',
    callback => ({ ...callback, headers: cut(callback.headers) }),
  ],
  ['that is a day old', callback => ({ ...callback, ctx: later(callback.ctx, 24 * 3_600_000) })],
  ['of tomorrow', callback => ({ ...callback, ctx: later(callback.ctx, -24 * 3_600_000) })],
]

function unsignedCallbackTests(harness: () => Promise<Harness>): void {
  async function callbackOf({ provider, callback }: Harness) {
    if (!provider.parseCallback || !callback) throw new Error('a callback is declared, none given')
    const { rawBody, headers, ctx, hint } = await callback()
    const read = (body: Uint8Array) => orRejected(provider.parseCallback?.(body, headers, ctx))
    return { rawBody, hint, read }
  }

  test('a true callback is read, and names no operation: that could be anybody’s', async () => {
    const { rawBody, hint, read } = await callbackOf(await harness())
    expect(await read(rawBody)).toEqual(hint)
    expect(hint).not.toHaveProperty('operation')
  })

  for (const [what, body] of MALFORMED) {
    test(`a callback that is ${what} is refused`, async () => {
      const { rawBody, read } = await callbackOf(await harness())
      await expect(read(body(rawBody))).resolves.toBe('rejected')
    })
  }

  test('nothing that a callback says becomes a result', async () => {
    const open = await harness()
    const { input, ctx } = await open.scenario('async_done')
    const started = await orProviderError(open.provider.start(frozen(input), ctx), ctx)
    const pending = expectPending(started, ctx)
    const { rawBody, hint, read } = await callbackOf(open)
    expect(await read(withPlanted(rawBody))).toEqual(hint)
    const { outputs } = expectDone(await pollToEnd(open.provider, pending, ctx), input)
    const addresses = outputs.flatMap(output => ('url' in output ? output.url : []))
    expect(addresses).not.toContain(PLANTED)
  })
}

async function orRejected(
  reading: Promise<CallbackHint> | undefined,
): Promise<CallbackHint | 'rejected'> {
  try {
    return await must(reading)
  } catch (error) {
    expectOurs(error, 'rejected', providerContext())
    return 'rejected'
  }
}

const MALFORMED: [string, (trueBody: Uint8Array) => Uint8Array][] = [
  ...['', 'null', '7', '"done"', '[]', '{}', '<html>'].map((text): [string, () => Uint8Array] => [
    text || 'empty',
    () => Buffer.from(text),
  ]),
  ['cut short', body => body.subarray(0, Math.floor(body.length / 2))],
  ['no text', () => Uint8Array.from([0xff, 0xfe, 0x00, 0x80])],
  ['made of ids that are objects', body => planted(body, text => ({ text }))],
]

const PLANTED = 'https://planted.example/picture.png'

/** The same event, with other addresses wherever there are some, and where there are none. */
function withPlanted(body: Uint8Array): Uint8Array {
  const changed = planted(body, text => (text.startsWith('https://') ? PLANTED : text))
  const more = { assets: { image: PLANTED, video: PLANTED }, output: [PLANTED], result: [PLANTED] }
  return Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(changed).toString()), ...more }))
}

function planted(body: Uint8Array, change: (text: string) => unknown): Uint8Array {
  const value = JSON.parse(Buffer.from(body).toString(), (_, inner) =>
    typeof inner === 'string' ? change(inner) : inner,
  )
  return Buffer.from(JSON.stringify(value))
}

function withAnotherByte(bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice()
  const middle = Math.floor(changed.length / 2)
  changed[middle] = (changed[middle] ?? 0) ^ 1
  return changed
}

function longer(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from([...bytes, 0x20])
}

function cut(headers: Headers): Headers {
  return new Headers([...headers].map(([key, value]) => [key, value.slice(0, -1)]))
}

function later(ctx: TrueCallback['ctx'], ms: number): TrueCallback['ctx'] {
  return { ...ctx, nowMs: ctx.nowMs + ms }
}

/** Inputs and operations belong to the caller: an adapter that writes into them fails here. */
function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    for (const inner of Object.values(value)) frozen(inner)
    Object.freeze(value)
  }
  return value
}

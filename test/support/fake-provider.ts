import { deflateSync } from 'node:zlib'
import {
  ProviderError,
  type ProviderErrorKind,
  type ProviderErrorOptions,
} from '@/providers/errors'
import type {
  Done,
  Operation,
  Output,
  Provider,
  ProviderContext,
  ProviderInput,
  ProviderUsage,
  StartResult,
} from '@/providers/spec'

/**
 * A vendor and its adapter in one, for live keys. Each start takes the next script, the last one is
 * repeated. The vendor's memory is the value itself, so it survives the death of a hub that is
 * given the same value again.
 */
export type FakeProvider = Provider & {
  /** What reached the vendor, in order. */
  readonly starts: { reference: string; input: ProviderInput; context: ProviderContext }[]
  readonly polls: Operation[]
  readonly cancels: Operation[]
  readonly finds: string[]
  /** Replaces what the coming starts do. */
  script(...scripts: Script[]): void
  /**
   * Runs at every step of every call, before anything follows from it. What it returns is awaited,
   * so a promise that never ends is a call that never ends.
   */
  onStep: (step: Step) => void | Promise<void>
}

/**
 * - `start:called`  the adapter was called and nothing left the house
 * - `start:begun`   the vendor has the request and works on it
 * - `start:answered`  the answer is in the adapter's hands, nobody else has seen it
 */
export type Step =
  | 'start:called'
  | 'start:begun'
  | 'start:answered'
  | 'poll:called'
  | 'poll:answered'
  | 'cancel:called'
  | 'find:called'

/** One answer to a poll; `operation` replaces the vendor's handle from then on. */
export type PollStep = Done | ProviderError | { state: 'pending'; pollAfterMs: number }

export type Script =
  | { start: 'done'; done: Done }
  | { start: 'fails'; error: unknown }
  /** Each poll takes the next step, the last one is repeated. */
  | { start: 'pending'; pollAfterMs: number; polls: PollStep[] }
  /** The vendor begins as `then` says, and its answer never arrives. */
  | { start: 'lost'; then: Script }
  /** The vendor begins and says nothing until we hang up. */
  | { start: 'hangs' }

export type FakeProviderOptions = {
  name?: string
  startIsRepeatable?: boolean
  canFind?: boolean
  canCancel?: boolean
  canCallBack?: boolean
  /** Every answer to a poll carries a new handle, and only the newest one is good. */
  changesOperation?: boolean
}

export const POLL_AFTER_MS = 2_000

export function fakeProvider(options: FakeProviderOptions = {}): FakeProvider {
  let scripts: Script[] = [done(bytes(picture()))]
  let scriptsTaken = 0
  const operations = new Map<string, { reference: string; script: Script; polls: number }>()
  const byReference = new Map<string, string>()

  const step = async (name: Step) => await provider.onStep(name)

  const begin = (reference: string, script: Script): string => {
    const id = `op-${operations.size + 1}`
    operations.set(id, { reference, script, polls: 0 })
    byReference.set(reference, id)
    return id
  }

  const statusOf = (id: string): StartResult => {
    const operation = operations.get(id)
    const script = operation?.script
    if (!operation || !script) throw new ProviderError('unknown_outcome', 'no such operation')
    if (script.start === 'done') return script.done
    if (script.start !== 'pending') return pendingAs(id, 0, POLL_AFTER_MS)
    const next = script.polls[Math.min(operation.polls++, script.polls.length - 1)]
    if (next instanceof ProviderError) throw next
    if (!next || next.state === 'pending') {
      return pendingAs(id, operation.polls, next?.pollAfterMs ?? POLL_AFTER_MS)
    }
    return next
  }

  const pendingAs = (id: string, version: number, pollAfterMs: number): StartResult => ({
    state: 'pending',
    operation: options.changesOperation ? { id, version } : { id },
    pollAfterMs,
  })

  const provider: FakeProvider = {
    name: options.name ?? 'fake',
    isKeyless: true,
    starts: [],
    polls: [],
    cancels: [],
    finds: [],
    onStep: () => {},
    script(...next) {
      scripts = next
      scriptsTaken = 0
    },
    ...(options.startIsRepeatable ? { startIsRepeatable: true as const } : {}),

    async start(input, context) {
      await step('start:called')
      provider.starts.push({ reference: context.reference, input, context })
      const script = scripts[Math.min(scriptsTaken++, scripts.length - 1)]
      if (!script) throw new Error('no script')
      const began = script.start === 'lost' ? script.then : script
      const id = began.start === 'fails' ? null : begin(context.reference, began)
      await step('start:begun')
      if (script.start === 'hangs') await hungUp(context.signal)
      if (script.start === 'lost') {
        throw new ProviderError('unknown_outcome', `${VENDOR_TEXT}: the answer was lost`)
      }
      await step('start:answered')
      if (began.start === 'fails') throw began.error
      if (began.start === 'done') return began.done
      return pendingAs(id ?? '', 0, began.start === 'pending' ? began.pollAfterMs : POLL_AFTER_MS)
    },

    async poll(operation) {
      await step('poll:called')
      provider.polls.push(operation)
      const id = String(operation.id)
      const expected = operations.get(id)?.polls ?? 0
      if (options.changesOperation && operation.version !== expected) {
        throw new ProviderError('unknown_outcome', 'an old handle')
      }
      try {
        return statusOf(id)
      } finally {
        await step('poll:answered')
      }
    },
  }
  if (options.canCancel !== false) {
    provider.cancel = async operation => {
      await step('cancel:called')
      provider.cancels.push(operation)
    }
  }
  if (options.canFind) {
    provider.find = async reference => {
      await step('find:called')
      provider.finds.push(reference)
      const id = byReference.get(reference)
      return id === undefined ? null : statusOf(id)
    }
  }
  if (options.canCallBack) {
    provider.parseCallback = async (rawBody, headers) => {
      if (headers.get('x-fake-signature') !== 'good') {
        throw new ProviderError('rejected', 'a forged callback')
      }
      const body = JSON.parse(Buffer.from(rawBody).toString()) as { id: string }
      return { eventId: body.id, isFinal: true }
    }
  }
  return provider
}

/** Stands in every error of the vendor: it must never reach a caller. */
export const VENDOR_TEXT = 'secret words of the vendor'

export function done(...outputs: Output[]): Script & { start: 'done' } {
  return { start: 'done', done: { state: 'done', outputs } }
}

export function doneAt(costMicroUsd: number, ...outputs: Output[]): Script & { start: 'done' } {
  const usage: ProviderUsage = { costMicroUsd }
  return { start: 'done', done: { state: 'done', outputs, usage } }
}

export function fails(kind: ProviderErrorKind, options: ProviderErrorOptions = {}): Script {
  return { start: 'fails', error: failure(kind, options) }
}

export function failure(kind: ProviderErrorKind, options: ProviderErrorOptions = {}) {
  return new ProviderError(kind, `${VENDOR_TEXT}: ${kind}`, options)
}

/** `pending(2, done(...))`: two polls say "not yet", the third has it. */
export function pending(
  notYet: number,
  end: (Script & { start: 'done' }) | ProviderError,
  pollAfterMs = POLL_AFTER_MS,
): Script {
  const waits = Array.from({ length: notYet }, () => ({ state: 'pending' as const, pollAfterMs }))
  const last = end instanceof ProviderError ? end : end.done
  return { start: 'pending', pollAfterMs, polls: [...waits, last] }
}

/** Says "not yet" for ever. */
export function pendingForEver(pollAfterMs = POLL_AFTER_MS): Script {
  return { start: 'pending', pollAfterMs, polls: [{ state: 'pending', pollAfterMs }] }
}

export function lost(then: Script): Script {
  return { start: 'lost', then }
}

export function bytes(content: Uint8Array): Output {
  return { type: 'file', bytes: content, contentType: null }
}

export function at(url: string): Output {
  return { type: 'file', url, contentType: null }
}

/** A whole PNG of one pixel, with `mark` in its colour, so that two of them differ. */
export function picture(mark = 0): Uint8Array<ArrayBuffer> {
  const known = PICTURES.get(mark)
  if (known) return known.slice()
  const pixel = [mark & 255, (mark >> 8) & 255, (mark >> 16) & 255]
  const header = Buffer.alloc(13)
  header.writeUInt32BE(1, 0)
  header.writeUInt32BE(1, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const made = Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.from([0, ...pixel]))),
    chunk('IEND', Buffer.alloc(0)),
  ])
  PICTURES.set(mark, new Uint8Array(made))
  return new Uint8Array(made)
}

const PICTURES = new Map<number, Uint8Array<ArrayBuffer>>()

/** One chunk of a PNG: length, name, content, checksum. */
export function chunk(name: string, content: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(name, 'latin1'), content])
  const whole = Buffer.alloc(named.length + 8)
  whole.writeUInt32BE(content.length, 0)
  whole.set(named, 4)
  whole.writeUInt32BE(Bun.hash.crc32(named), named.length + 4)
  return whole
}

function hungUp(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = () => reject(new ProviderError('unknown_outcome', `${VENDOR_TEXT}: hung up`))
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
  })
}

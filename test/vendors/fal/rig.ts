import { afterEach, beforeEach } from 'bun:test'
import { imageInput, providerContext } from '@test/support/conformance'
import { createSafeFetch } from '@/base/safe-fetch'
import { ProviderError } from '@/providers/errors'
import { createFal } from '@/providers/fal/fal'
import type {
  Done,
  Operation,
  Pending,
  Provider,
  ProviderContext,
  ProviderInput,
  StartResult,
} from '@/providers/spec'
import { type Sample, sample } from './samples'
import { FAL_KEY, type FalScript, type FalVendor, startFal } from './server'

export const NOW = 1_760_000_000_000
export const FLUX = { providerModel: 'fal-ai/flux/schnell' }

/** The network code of the product, let through to loopback. */
export const guarded = createSafeFetch({ allowPrivate: ['127.0.0.1'] })

export function context(changes: Partial<ProviderContext> = {}): ProviderContext {
  return providerContext({ fetch: guarded, apiKey: FAL_KEY, nowMs: NOW, ...changes })
}

/** What a proxy on the way answers. */
export const page = (status: number) => () =>
  new Response('<html>Bad Gateway</html>', { status, headers: { 'content-type': 'text/html' } })

/** An answer that is not among the samples. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Sample {
  return { ...sample('submitted'), status, headers, body: body as Sample['body'] }
}

export type Rig = {
  /** Of the running test. */
  readonly fal: FalVendor
  provider(): Provider
  start(changes?: Partial<ProviderInput>, ctx?: ProviderContext): Promise<Pending>
  poll(operation: Operation, ctx?: ProviderContext): Promise<StartResult>
  /** The end of a job whose requests have ended by the first question. */
  finish(script: FalScript, changes?: Partial<ProviderInput>): Promise<Done>
}

/** A vendor for each test of the file, and the adapter over it. */
export function falRig(): Rig {
  let fal: FalVendor
  beforeEach(() => {
    fal = startFal()
  })
  afterEach(() => fal.close())

  const rig: Rig = {
    get fal() {
      return fal
    },
    provider: () => createFal({ baseUrl: fal.origin }),
    async start(changes = {}, ctx = context()) {
      const result = await rig.provider().start(imageInput({ ...FLUX, ...changes }), ctx)
      if (result.state !== 'pending') throw new Error(result.state)
      return result
    },
    async poll(operation, ctx = context()) {
      const result = await rig.provider().poll?.(operation, ctx)
      if (!result) throw new Error('no poll')
      return result
    },
    async finish(script, changes = {}) {
      fal.script({ statuses: [sample('status-completed')], ...script })
      const { operation } = await rig.start(changes)
      const result = await rig.poll(operation)
      if (result.state !== 'done') throw new Error(result.state)
      return result
    },
  }
  return rig
}

export async function failure(work: Promise<unknown> | undefined): Promise<ProviderError> {
  const error: unknown = await Promise.resolve(work).then(
    value => new Error(`answered ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  )
  if (error instanceof ProviderError) return error
  throw error
}

import type { VendorAnswer, VendorOrder } from '@test/support/crash-server'
import { picture } from '@test/support/fake-provider'

/**
 * A vendor in the process of the test, reached over HTTP: what it was asked and what it made is still
 * known when the hub that asked is dead.
 */
export type Vendor = AsyncDisposable & {
  origin: string
  /** `host:port`, for ALLOW_PRIVATE_DESTINATIONS. */
  host: string
  /** Every start that arrived, by prompt. */
  starts: Map<string, VendorOrder[]>
  /** Called once, when a start has arrived; from then on that start is never answered. */
  onStart: (() => void) | null
  /** Called once, when the last output of a job is half sent and waits for ever. */
  onHalfOutput: (() => void) | null
}

export function startVendor(): Vendor {
  const operations: { order: VendorOrder; polls: number }[] = []
  const starts: Vendor['starts'] = new Map()
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const [, what = '', id = '', index = ''] = new URL(request.url).pathname.split('/')
      if (what === 'start') return await start((await request.json()) as VendorOrder)
      if (what === 'find') return found(operations.findIndex(o => o.order.reference === id))
      if (what === 'operations') return polled(Number(id))
      return output(Number(id), Number(index))
    },
  })
  const host = `127.0.0.1:${server.port}`
  const vendor: Vendor = {
    origin: `http://${host}`,
    host,
    starts,
    onStart: null,
    onHalfOutput: null,
    async [Symbol.asyncDispose]() {
      await server.stop(true)
    },
  }

  async function start(order: VendorOrder): Promise<Response> {
    const known = starts.get(order.prompt) ?? []
    starts.set(order.prompt, [...known, order])
    const id = operations.push({ order, polls: 0 }) - 1
    const hold = vendor.onStart
    vendor.onStart = null
    if (hold) {
      hold()
      return await new Promise(() => {})
    }
    return order.shape === 'async' ? Response.json({ id: `${id}` }) : done(id)
  }

  function found(id: number): Response {
    const operation = operations[id]
    if (!operation) return new Response('', { status: 404 })
    return operation.order.shape === 'async' ? Response.json({ id: `${id}` }) : done(id)
  }

  function polled(id: number): Response {
    const operation = operations[id]
    if (!operation) return new Response('', { status: 404 })
    return operation.polls++ === 0 ? Response.json({ id: `${id}` }) : done(id)
  }

  function done(id: number): Response {
    const { numOutputs = 0 } = operations[id]?.order ?? {}
    const outputs = Array.from(
      { length: numOutputs },
      (_, i) => `${vendor.origin}/outputs/${id}/${i}`,
    )
    return Response.json({ id: `${id}`, outputs } satisfies VendorAnswer)
  }

  function output(id: number, index: number): Response {
    const bytes = picture(id * 16 + index + 1)
    const isLast = index === (operations[id]?.order.numOutputs ?? 0) - 1
    const hold = isLast ? vendor.onHalfOutput : null
    if (!hold) return new Response(bytes as Uint8Array<ArrayBuffer>)
    vendor.onHalfOutput = null
    const half = new ReadableStream({
      start(controller) {
        controller.enqueue(bytes.subarray(0, bytes.length / 2))
        hold()
      },
    })
    return new Response(half, { headers: { 'content-length': `${bytes.length}` } })
  }

  return vendor
}

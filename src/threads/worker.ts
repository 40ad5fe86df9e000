import { type ThreadAnswer, type ThreadRequest, tasks } from './tasks'

/**
 * The one entry point of every thread. Nothing that it imports may `await` at its top level: a
 * message that arrives before the handler stands is lost.
 */
declare const self: Worker

self.onmessage = async (event: MessageEvent<ThreadRequest>) => {
  const { id, kind, payload } = event.data
  try {
    const result = await tasks[kind](payload)
    answer({ id, ok: true, result }, ownedBuffers(result))
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error))
    answer({ id, ok: false, name, message }, [])
  }
}

function answer(message: ThreadAnswer, buffers: ArrayBuffer[]): void {
  self.postMessage(message, buffers)
}

/**
 * The buffers of a result's own fields, which are handed over and not copied. A view of a part of a
 * buffer is copied: the rest of it may belong to somebody else, as with the shared pool behind
 * small Buffers.
 */
function ownedBuffers(result: object): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>()
  for (const value of Object.values(result)) {
    if (value instanceof ArrayBuffer) buffers.add(value)
    if (!ArrayBuffer.isView(value) || !(value.buffer instanceof ArrayBuffer)) continue
    if (value.byteLength === value.buffer.byteLength) buffers.add(value.buffer)
  }
  return [...buffers]
}

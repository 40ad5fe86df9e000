import type { IncomingMessage } from 'node:http'
import { pipeline, type Readable } from 'node:stream'
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib'
import { FetchFailure, toFailure } from './fetch-failure'
import type { Limits } from './fetch-limits'

/** These have no body, and a Response refuses to be made with one. */
const BODILESS_STATUSES = new Set([204, 205, 304])

/** The answer with its body decoded and bounded: a bomb ends at `maxBytes` of what comes out. */
export function toResponse(
  answer: IncomingMessage,
  method: string,
  maxBytes: number,
  limits: Limits,
): Response {
  const status = answer.statusCode ?? 0
  if (status < 200 || status > 599) throw new Error(`answered with status ${status}`)
  const headers = readHeaders(answer)
  if (method === 'HEAD' || BODILESS_STATUSES.has(status)) {
    const forget = limits.onCut(() => answer.destroy())
    answer.once('close', () => {
      forget()
      limits.end()
    })
    answer.resume()
    return new Response(null, { status, headers })
  }
  const decoder = createDecoder(headers.get('content-encoding'))
  if (decoder === null) {
    return new Response(readBounded(answer, maxBytes, limits), { status, headers })
  }
  // Both describe the bytes on the wire, not those that the reader gets.
  headers.delete('content-encoding')
  headers.delete('content-length')
  // An error of either side destroys both, and reaches the reader by the decoder.
  pipeline(answer, decoder, () => {})
  // Empty blocks unpack to nothing, so an endless row of them would never exceed the cap on what is unpacked.
  let received = 0
  answer.on('data', (piece: Uint8Array) => {
    received += piece.byteLength
    if (received > maxBytes) decoder.destroy(new FetchFailure('too_large', true))
  })
  return new Response(readBounded(decoder, maxBytes, limits), { status, headers })
}

function readHeaders(answer: IncomingMessage): Headers {
  const headers = new Headers()
  const raw = answer.rawHeaders
  for (let i = 0; i + 1 < raw.length; i += 2) headers.append(raw[i] ?? '', raw[i + 1] ?? '')
  return headers
}

/** Each yields small pieces and stops when nobody reads, so a bomb never unfolds beyond what is taken. */
function createDecoder(encoding: string | null) {
  switch (encoding?.trim().toLowerCase()) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    case 'br':
      return createBrotliDecompress()
    case 'zstd':
      return createZstdDecompress()
    default:
      // None, or one that we do not speak, or several on top of each other: handed on as it came, with its
      // header still there to say so.
      return null
  }
}

/** Passes `source` on piece by piece until `maxBytes` of it are exceeded. */
function readBounded(
  source: Readable,
  maxBytes: number,
  limits: Limits,
): ReadableStream<Uint8Array> {
  const pieces = source[Symbol.asyncIterator]()
  let count = 0
  const stop = () => {
    limits.end()
    forget()
    source.destroy()
  }
  const forget = limits.onCut(() => source.destroy(new Error('cut off')))
  source.on('error', () => {})
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await pieces.next()
        if (done) {
          limits.end()
          forget()
          return controller.close()
        }
        const piece: Uint8Array = value
        count += piece.byteLength
        if (count > maxBytes) throw new FetchFailure('too_large', true)
        controller.enqueue(piece)
      } catch (error) {
        const failure = toFailure(error, 'sent', limits.reason)
        stop()
        controller.error(failure)
      }
    },
    cancel: stop,
  })
}

import { describe, expect, test } from 'bun:test'
import { pictureInHand } from '@test/support/pictures'
import { FetchFailure } from '@/base/safe-fetch'
import { ProviderError, type ProviderErrorKind } from '@/providers/errors'
import { type HandOver, handOver } from '@/providers/hand-over'
import { sendToStore } from '@/providers/send-to-store'
import { transferMs, uploadTimeoutMs } from '@/providers/upload-time'

const ADDRESS = 'https://a.example/1.png'
const listening = { signal: new AbortController().signal }

/** A vendor with room for 1,000 bytes that calls uploads by their number. */
function vendor(changes: Partial<HandOver> = {}) {
  const uploads: string[] = []
  const how: HandOver = {
    vendor: 'somebody',
    inlineBytes: 1_000,
    async upload({ bytes }, filename) {
      return `upload-${uploads.push(`${filename} ${bytes.length}`)}`
    },
    ...changes,
  }
  return { how, uploads }
}

async function failure(work: Promise<unknown>): Promise<ProviderError> {
  const error: unknown = await work.then(
    value => new Error(`it answered ${JSON.stringify(value)}`),
    thrown => thrown,
  )
  if (error instanceof ProviderError) return error
  throw error
}

describe('pictures are handed over', () => {
  test('as they are while there is room, else by what their upload is called', async () => {
    const { how, uploads } = vendor()
    const images = [pictureInHand(600), ADDRESS, pictureInHand(401), pictureInHand(400, 'webp')]
    expect(await handOver(images, listening, how)).toEqual([
      pictureInHand(600),
      ADDRESS,
      'upload-1',
      pictureInHand(400, 'webp'),
    ])
    expect(uploads).toEqual(['picture.png 401'])
  })

  test('once each, and once each also in the count of the room', async () => {
    const { how, uploads } = vendor()
    const [small, large] = [pictureInHand(600), pictureInHand(1_001)]
    const images = [large, small, large, small]
    expect(await handOver(images, listening, how)).toEqual(['upload-1', small, 'upload-1', small])
    expect(uploads).toHaveLength(1)
  })

  test('none of them where one is no picture or too large', async () => {
    const { how, uploads } = vendor({ mostBytes: 5_000 })
    const broken = failure(handOver([pictureInHand(2_000), 'data:nonsense'], listening, how))
    expect(await broken).toMatchObject({ kind: 'rejected', reason: 'input' })
    const large = failure(handOver([pictureInHand(2_000), pictureInHand(5_001)], listening, how))
    expect(await large).toMatchObject({ kind: 'unavailable', isPermanent: true })
    expect(uploads).toEqual([])
    expect(await handOver([pictureInHand(5_000)], listening, how)).toEqual(['upload-1'])
  })
})

describe('an upload that fails', () => {
  test.each([
    ['unknown_outcome', 'unavailable', false],
    ['unavailable', 'unavailable', false],
    ['rate_limited', 'rate_limited', false],
    ['rejected', 'unavailable', true],
  ] satisfies [ProviderErrorKind, ProviderErrorKind, boolean][])(
    'as %s is %s',
    async (thrown, kind, isPermanent) => {
      const upload = () => Promise.reject(new ProviderError(thrown, 'no', { retryAfterMs: 7 }))
      const work = handOver([pictureInHand(2_000)], listening, vendor({ upload }).how)
      const retryAfterMs = kind === thrown ? 7 : null
      expect(await failure(work)).toMatchObject({ kind, isPermanent, retryAfterMs })
    },
  )

  test('in a way that nobody foresaw has started nothing either', async () => {
    const upload = () => Promise.reject(new Error('a bug'))
    const work = handOver([pictureInHand(2_000)], listening, vendor({ upload }).how)
    expect((await failure(work)).kind).toBe('unavailable')
  })

  test('is not thrown before the others have ended, and one of them is enough', async () => {
    const { promise: isSlow, resolve } = Promise.withResolvers<void>()
    let ended = 0
    const upload: HandOver['upload'] = async ({ bytes }) => {
      if (bytes.length === 2_000) {
        queueMicrotask(resolve)
        throw new ProviderError('unavailable', 'no')
      }
      await isSlow
      ended++
      return 'uploaded'
    }
    const images = [pictureInHand(2_000), pictureInHand(2_001)]
    expect((await failure(handOver(images, listening, vendor({ upload }).how))).message).toBe('no')
    expect(ended).toBe(1)
  })

  test('because nobody listens any more stays unknown', async () => {
    const upload = () => Promise.reject(new ProviderError('unknown_outcome', 'we stopped'))
    const aborted = { signal: AbortSignal.abort() }
    const work = handOver([pictureInHand(2_000)], aborted, vendor({ upload }).how)
    expect((await failure(work)).kind).toBe('unknown_outcome')
  })
})

describe('a store', () => {
  const request = { url: 'https://store.example/1', method: 'PUT', body: new Uint8Array(3) }
  const answering = (status: number, headers: Record<string, string> = {}) => ({
    ...listening,
    fetch: async () => new Response('a signature', { status, headers }),
  })

  test.each([200, 201, 204])('that answers %p has it', async status => {
    const body = status === 204 ? null : ''
    const fetch = async () => new Response(body, { status })
    await sendToStore('somebody', { ...listening, fetch }, request)
  })

  test.each([301, 400, 403, 404, 413, 500, 503])('that answers %p has not', async status => {
    const error = await failure(sendToStore('somebody', answering(status), request))
    expect(error).toMatchObject({ kind: 'unavailable', isPermanent: false })
    expect(error.message).toBe(`the store of somebody answered ${status}`)
  })

  test('may want us to wait', async () => {
    const ctx = answering(429, { 'retry-after': '2' })
    const error = await failure(sendToStore('somebody', ctx, request))
    expect(error).toMatchObject({ kind: 'rate_limited', retryAfterMs: 2_000 })
  })

  test('that breaks off may have it', async () => {
    const fetch = () => Promise.reject(new FetchFailure('connection_failed', true))
    const error = await failure(sendToStore('somebody', { ...listening, fetch }, request))
    expect(error.kind).toBe('unknown_outcome')
  })
})

test('the time for an upload goes by its size, and ends with the attempt', () => {
  const mebibyte = 1024 * 1024
  expect(transferMs(0)).toBe(0)
  expect(transferMs(mebibyte)).toBe(8_000)
  const until = (deadlineMs: number) => uploadTimeoutMs(mebibyte, { nowMs: 0, deadlineMs })
  expect([600_000, 38_000, 37_999, 500, -5].map(until)).toEqual([
    38_000, 38_000, 37_999, 1_000, 1_000,
  ])
})

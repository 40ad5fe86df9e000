import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { imageInput, providerContext } from '@test/support/conformance'
import { pictureInHand } from '@test/support/pictures'
import { createSafeFetch } from '@/base/safe-fetch'
import { createDefapi } from '@/providers/defapi/defapi'
import type { ProviderContext, ProviderInput } from '@/providers/spec'
import { type DefapiServer, defapiServer, KEY } from './server'

const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
const SMALL = pictureInHand(2_000)
const LARGE = pictureInHand(3 * 1024 * 1024, 'jpeg')
const ADDRESS = 'https://a.example/1.png'
const FOR_GOOD = { kind: 'unavailable', isPermanent: true }

let server: DefapiServer

beforeEach(() => {
  server = defapiServer()
})
afterEach(() => server.close())

function start(changes: Partial<ProviderInput>, ctx: Partial<ProviderContext> = {}) {
  const input = imageInput({ providerModel: 'google/nano-banana', ...changes })
  const whole = providerContext({ fetch, apiKey: KEY, ...ctx })
  return createDefapi({ baseUrl: server.baseUrl }).start(input, whole)
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => Promise.reject(new Error('it was submitted')),
    (error: unknown) => error,
  )

describe('pictures in hand', () => {
  test('are sent as they are where people were seen to do so, with the time for them', async () => {
    const timeouts: (number | undefined)[] = []
    const watching: ProviderContext['fetch'] = (url, init) => {
      timeouts.push(init?.timeoutMs)
      return fetch(url, init)
    }
    await start({ images: [SMALL, ADDRESS, LARGE] }, { fetch: watching })
    expect(server.of('submit')[0]?.body).toMatchObject({ images: [SMALL, ADDRESS, LARGE] })
    const sent = SMALL.length + LARGE.length
    expect(timeouts).toEqual([60_000 + Math.ceil((sent / (128 * 1024)) * 1_000)])
  })

  test.each(['openai/gpt-image-2', 'midjourney/edits', 'seedance-2.0', 'google/veo3.1-fast'])(
    'are for another vendor where nobody was: %s',
    async providerModel => {
      const error = await failure(start({ providerModel, images: [ADDRESS, SMALL] }))
      expect(error).toMatchObject(FOR_GOOD)
      expect(server.requests).toEqual([])
      await start({ providerModel, images: [ADDRESS] })
      expect(server.of('submit')).toHaveLength(1)
    },
  )

  test('of more than a request may have are for another vendor', async () => {
    server.submit = () => ({ status: 413, body: '<html>Request Entity Too Large</html>' })
    expect(await failure(start({ images: [LARGE] }))).toMatchObject(FOR_GOOD)
  })
})

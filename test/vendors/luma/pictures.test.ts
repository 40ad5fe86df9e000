import { afterEach, beforeEach, expect, test } from 'bun:test'
import { imageInput, providerContext } from '@test/support/conformance'
import { pictureInHand, piecesOf } from '@test/support/pictures'
import { createSafeFetch } from '@/base/safe-fetch'
import { ProviderError } from '@/providers/errors'
import { createLuma } from '@/providers/luma/luma'
import { type LumaServer, lumaServer } from './server'

const fetch = createSafeFetch({ allowPrivate: ['127.0.0.1'] })
const PICTURE = pictureInHand(2_000)

let server: LumaServer

beforeEach(() => {
  server = lumaServer()
})
afterEach(() => server.close())

test.each([
  ['image', 'photon-1'],
  ['image_edit', 'photon-1'],
  ['video', 'ray-2'],
])(
  'a picture in hand for %s is for another vendor, and no fault of the caller',
  async (kind, providerModel) => {
    const images = ['https://a.example/1.png', PICTURE]
    const input = imageInput({ kind, providerModel, images })
    const ctx = providerContext({ fetch, apiKey: server.key })
    const provider = createLuma({ baseUrl: server.baseUrl })
    const error: unknown = await provider.start(input, ctx).catch(thrown => thrown)
    expect(error).toBeInstanceOf(ProviderError)
    expect(error).toMatchObject({ kind: 'unavailable', isPermanent: true })
    expect(piecesOf(PICTURE).filter(piece => String(error).includes(piece))).toEqual([])
    expect(server.seen).toEqual([])
  },
)

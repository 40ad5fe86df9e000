import { expect, test } from 'bun:test'
import { imageInput, providerContext } from '@test/support/conformance'
import { pictureInHand } from '@test/support/pictures'
import { ProviderError } from '@/providers/errors'
import type { Provider } from '@/providers/spec'
import { withoutPictures } from '@/providers/without-pictures'

const PICTURE = pictureInHand(900)

function provider(error: unknown): Provider {
  return withoutPictures({
    name: 'somebody',
    start: () => Promise.reject(error),
    poll: () => Promise.reject(error),
  })
}

async function thrownBy(error: unknown): Promise<unknown[]> {
  const { start, poll } = provider(error)
  const ctx = providerContext()
  return await Promise.all(
    [start(imageInput(), ctx), poll?.({}, ctx)].map(work => work?.catch(thrown => thrown)),
  )
}

test.each([
  ['whole', `cannot read ${PICTURE}!`, 'cannot read (a picture)!'],
  ['cut', `cannot read ${PICTURE.slice(0, 60)}`, 'cannot read (a picture)'],
  ['without its head', `bad "${PICTURE.slice(40, 400)}"`, 'bad "(a picture)"'],
  ['of another form', 'bad data:image/png,%89PNG%0D rest', 'bad (a picture) rest'],
  ['for URLs', `bad ${'aB-_'.repeat(30)}.`, 'bad (a picture).'],
  ['twice', `${PICTURE}, ${PICTURE}`, '(a picture), (a picture)'],
])('a quotation %s is left out of what start and poll throw', async (_, said, left) => {
  const options = {
    reason: 'content',
    isPermanent: true,
    retryAfterMs: 5,
    costMicroUsd: 6,
    cause: new Error(said),
  } as const
  for (const error of await thrownBy(new ProviderError('rejected', said, options))) {
    expect(error).toBeInstanceOf(ProviderError)
    expect(error).toMatchObject({
      kind: 'rejected',
      message: left,
      reason: 'content',
      isPermanent: true,
      retryAfterMs: 5,
      costMicroUsd: 6,
    })
    expect(error).not.toHaveProperty('cause')
  }
})

test.each([
  new ProviderError('unavailable', '503: see https://a.example/some/path/of/theirs, data: none'),
  new ProviderError('unavailable', `sha256 ${'0123456789abcdef'.repeat(4)}`),
  new Error(PICTURE),
])('anything else stays the same error', async error => {
  for (const thrown of await thrownBy(error)) expect(thrown).toBe(error)
})

test('a provider that cannot be polled is not made to', () => {
  const { poll, ...rest } = provider(null)
  expect(poll).toBeDefined()
  expect(withoutPictures(rest).poll).toBeUndefined()
})

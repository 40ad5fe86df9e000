import { expect, test } from 'bun:test'
import { imageInput } from '@test/support/conformance'
import type { ProviderInput } from '@/providers/spec'
import { splitCalls } from '@/providers/split-calls'

const split = (numOutputs: number, most: number, changes: Partial<ProviderInput> = {}) =>
  splitCalls(imageInput({ numOutputs, ...changes }), most)

test('as many calls as are needed, the last with what is left', () => {
  const counts = (wanted: number, most: number) => split(wanted, most).map(call => call.numOutputs)
  expect(counts(1, 4)).toEqual([1])
  expect(counts(4, 4)).toEqual([4])
  expect(counts(5, 2)).toEqual([2, 2, 1])
  expect(counts(3, 1)).toEqual([1, 1, 1])
})

test('each has a seed of its own, the first the one that was given', () => {
  const seed = 2 ** 32 - 2
  const calls = split(3, 1, { extra: { seed, style: 'x' }, params: { seed: 7, mine: true } })
  expect(calls.map(({ extra }) => extra)).toEqual([
    { seed, style: 'x' },
    { seed: seed + 1, style: 'x' },
    { seed: 0, style: 'x' },
  ])
  expect(calls.map(({ params }) => params.seed)).toEqual([7, 8, 9])
  expect(calls.every(({ params }) => params.mine === true)).toBe(true)
})

test.each([-1, '7', null, true])('the seed %p is none to count from', seed => {
  expect(split(2, 1, { extra: { seed } }).map(({ extra }) => extra)).toEqual([{ seed }, { seed }])
})

test('without a seed none is made up, and all else is the same', () => {
  const [first, second] = split(2, 1, { images: ['https://x.example/1.png'] })
  expect(second as object).toEqual(first as object)
  expect(first?.extra).toEqual({})
})

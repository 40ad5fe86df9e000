import { describe, expect, test } from 'bun:test'
import { fingerprint } from '@/domain/idempotency'

describe('a fingerprint', () => {
  test('is the same for the same values in any order of keys, at any depth', () => {
    const one = { model: 'a', input: { prompt: 'x', images: ['1', '2'], seed: 7 }, metadata: {} }
    const two = { metadata: {}, input: { seed: 7, images: ['1', '2'], prompt: 'x' }, model: 'a' }
    expect(fingerprint(one)).toBe(fingerprint(two))
    expect(fingerprint([one])).toBe(fingerprint([two]))
  })

  test('does not tell a field that is absent from one that is undefined', () => {
    expect(fingerprint({ a: 1, b: undefined })).toBe(fingerprint({ a: 1 }))
  })

  test('tells apart whatever differs', () => {
    const values: unknown[] = [
      null,
      {},
      [],
      '',
      'null',
      0,
      '0',
      1,
      true,
      'true',
      false,
      [null],
      [[]],
      [{}],
      { a: null },
      { a: 1 },
      { a: '1' },
      { b: 1 },
      { a: 1, b: 2 },
      { a: 2, b: 1 },
      { a: { b: 1 } },
      { 'a":1,"b': 1 },
      ['a', 'b'],
      ['b', 'a'],
      ['a,b'],
      'a,b',
      'ä',
      'a\u0308',
    ]
    expect(new Set(values.map(fingerprint)).size).toBe(values.length)
  })

  test('keeps the order of a list: it means something', () => {
    expect(fingerprint({ images: ['1', '2'] })).not.toBe(fingerprint({ images: ['2', '1'] }))
  })
})

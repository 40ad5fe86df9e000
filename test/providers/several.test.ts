import { describe, expect, test } from 'bun:test'
import { ProviderError, type ProviderErrorKind } from '@/providers/errors'
import { joined, kept, portions, several } from '@/providers/several'
import type { Done, ProviderUsage } from '@/providers/spec'

const REJECTED = new ProviderError('rejected', 'no')
const UNKNOWN = new ProviderError('unknown_outcome', 'who knows')
const UNAVAILABLE = new ProviderError('unavailable', 'elsewhere')
const FOR_GOOD = new ProviderError('unavailable', 'no credit', { isPermanent: true })
const limited = (retryAfterMs: number) =>
  new ProviderError('rate_limited', 'wait', { retryAfterMs })

/** Errors are thrown, words are made. */
async function make(end: string | ProviderError): Promise<string> {
  if (end instanceof ProviderError) throw end
  return end
}

async function failure(ends: ProviderError[], options = {}): Promise<ProviderError> {
  const error: unknown = await several(ends, make, options).catch(thrown => thrown)
  if (!(error instanceof ProviderError)) throw new Error('nothing was thrown')
  return error
}

function done(text: string, usage?: ProviderUsage): Done {
  return { state: 'done', outputs: [{ type: 'text', text }], ...(usage ? { usage } : {}) }
}

describe('of several calls', () => {
  test('what was made is kept, in the order asked, beside how the others failed', async () => {
    expect(await several(['a', REJECTED, 'b', UNKNOWN], make)).toEqual({
      made: ['a', 'b'],
      failed: [REJECTED, UNKNOWN],
    })
  })

  test('all are under way at once, and each is made once', async () => {
    const asked: number[] = []
    const all = Promise.withResolvers<void>()
    await several([1, 2, 3], async one => {
      asked.push(one)
      if (asked.length === 3) all.resolve()
      await all.promise
    })
    expect(asked).toEqual([1, 2, 3])
  })

  test.each([
    [[UNAVAILABLE, UNKNOWN, limited(1), REJECTED], 'rejected'],
    [[UNAVAILABLE, UNKNOWN, limited(1)], 'unknown_outcome'],
    [[limited(1), UNAVAILABLE], 'unavailable'],
    [[limited(1), limited(2)], 'rate_limited'],
  ] as [ProviderError[], ProviderErrorKind][])(
    'that all failed the error that forbids most is thrown: %#',
    async (ends, kind) => {
      expect((await failure(ends)).kind).toBe(kind)
      expect((await failure(ends.toReversed())).kind).toBe(kind)
    },
  )

  test('one that is for good speaks for all, and the longest wait is waited', async () => {
    expect(await failure([UNAVAILABLE, FOR_GOOD])).toBe(FOR_GOOD)
    expect((await failure([limited(1_000), limited(7_000)])).retryAfterMs).toBe(7_000)
  })

  test('a thing thrown that is no error of ours may have begun', async () => {
    const ends = several([1, 2], async one => {
      throw one === 1 ? 'reset' : UNAVAILABLE
    })
    await expect(ends).rejects.toMatchObject({ kind: 'unknown_outcome' })
  })

  test('none at all is nothing made', async () => {
    await expect(several([], make)).rejects.toBeInstanceOf(ProviderError)
  })

  test('the cost of a failure is that of all, and untold where nobody told', async () => {
    const cost = (costMicroUsd: number) => new ProviderError('unavailable', 'x', { costMicroUsd })
    const error = await failure([cost(3), limited(1), cost(4)])
    expect(error).toMatchObject({ kind: 'unavailable', message: 'x', costMicroUsd: 7 })
    const content = new ProviderError('rejected', 'no', { reason: 'content', cause: 'why' })
    expect(await failure([content, cost(4)])).toMatchObject({
      kind: 'rejected',
      reason: 'content',
      isPermanent: true,
      cause: 'why',
      costMicroUsd: 4,
    })
    expect((await failure([UNAVAILABLE, UNKNOWN])).costMicroUsd).toBeNull()
  })
})

describe('of calls that may be repeated', () => {
  const repeatable = { isRepeatable: true }

  test.each([[UNKNOWN], [limited(1)]])('one that failed for now keeps all for later', async end => {
    const ends = several(['a', end, FOR_GOOD], make, repeatable)
    await expect(ends).rejects.toBe(end)
  })

  test('those that are over cost themselves alone', async () => {
    expect((await several(['a', UNAVAILABLE, REJECTED], make, repeatable)).made).toEqual(['a'])
    expect(await failure([UNAVAILABLE, REJECTED], repeatable)).toBe(REJECTED)
  })
})

test('of ends that are values the same holds', () => {
  expect(kept(['a', UNAVAILABLE])).toEqual({ made: ['a'], failed: [UNAVAILABLE] })
  expect(() => kept([limited(1), UNKNOWN])).toThrow(UNKNOWN)
})

describe('joined to one answer', () => {
  test('is what all used, those that came to nothing as well, and what nobody told is not there', () => {
    const lost = new ProviderError('unavailable', 'x', { costMicroUsd: 5 })
    const made = [done('a', { inputTokens: 1, costMicroUsd: 10 }), done('b', { inputTokens: 2 })]
    expect(joined({ made, failed: [lost, UNKNOWN] })).toEqual({
      state: 'done',
      outputs: [
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ],
      usage: { inputTokens: 3, costMicroUsd: 15 },
    })
    expect(joined({ made: [done('a')], failed: [] }).usage).toEqual({})
  })

  test('is never more than was asked for', () => {
    expect(joined({ made: [done('a'), done('b')], failed: [] }, 1).outputs).toHaveLength(1)
  })
})

test.each([
  [5, 2, [2, 2, 1]],
  [4, 4, [4]],
  [3, 4, [3]],
  [2, 1, [1, 1]],
])('%d in portions of at most %d are %p', (count, most, parts) => {
  expect(portions(count, most)).toEqual(parts)
})

import { describe, expect, test } from 'bun:test'
import { MINUTE, SECOND } from '@/base/clock'
import type { Candidate, Request } from '@/domain/routing/decide'
import { sentenceOf } from '@/domain/routing/explain'
import { type Change, candidate, decideAmong, NOW, tried } from './candidates'

const say = (candidates: Candidate[], change: Partial<Request> = {}) =>
  sentenceOf(decideAmong(candidates, change).decision)

const replicate = (change: Change = {}) => candidate(1, { provider: 'replicate', ...change })
const fal = (change: Change = {}) => candidate(2, { provider: 'fal', ...change })
const luma = (change: Change = {}) => candidate(3, { provider: 'luma', ...change })
const until = NOW + 3 * MINUTE + 20 * SECOND

test.each<[string, Candidate[], Partial<Request>]>([
  ['chose replicate: the only route', [replicate()], {}],
  ['chose replicate: first by priority', [replicate(), fal()], {}],
  [
    'chose fal: first by cheapest',
    [replicate(), fal({ listedCostMicroUsd: 1 })],
    { strategy: 'cheapest' },
  ],
  [
    'chose fal: replicate resting until 12:03:20',
    [replicate({ metrics: { rests: 1, restingUntil: until } }), fal(), luma()],
    {},
  ],
  [
    'chose fal: replicate is being probed until 12:03:20',
    [replicate({ metrics: { rests: 1, probeUntil: until, probeAttemptId: 1 } }), fal()],
    {},
  ],
  ['chose fal: replicate full', [replicate({ maxConcurrent: 1, taken: 1 }), fal()], {}],
  [
    'chose fal: replicate tried a moment ago until 12:03:20',
    [replicate(), fal()],
    { tried: [tried(1, { retryAt: until })] },
  ],
  [
    'chose fal: replicate refused it for good',
    [replicate(), fal()],
    { tried: [tried(1, { isPermanent: true })] },
  ],
  ['chose fal: replicate had its try', [replicate(), fal()], { tried: [tried(1)] }],
  [
    'chose luma: replicate full, fal resting until 12:03:20',
    [
      replicate({ maxConcurrent: 1, taken: 1 }),
      fal({ metrics: { rests: 1, restingUntil: until } }),
      luma(),
    ],
    {},
  ],
  [
    'nobody can serve it now: replicate full, fal resting until 12:03:20',
    [
      replicate({ maxConcurrent: 1, taken: 1 }),
      fal({ metrics: { rests: 1, restingUntil: until } }),
    ],
    {},
  ],
])('%s', (sentence, candidates, request) => {
  expect(say(candidates, request)).toBe(sentence)
})

describe('who comes after the chosen one', () => {
  test('needs no reason', () => {
    expect(say([replicate(), fal({ metrics: { rests: 1, restingUntil: until } })])).toBe(
      'chose replicate: first by priority',
    )
  })
})

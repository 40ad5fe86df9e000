import { describe, expect, test } from 'bun:test'
import { seededRandom } from '@test/queue/seeded-random'
import { AppError } from '@/base/errors'
import {
  createIdSource,
  firstIdAt,
  formatId,
  PREFIX,
  type PublicKind,
  parseId,
  requireId,
  timeOfId,
} from '@/base/ids'

const NOW = Date.UTC(2026, 0, 15, 10, 30)
const PER_MS = 4_096
const KINDS = Object.keys(PREFIX) as PublicKind[]
const LARGEST = Number.MAX_SAFE_INTEGER

describe('the source of ids', () => {
  test('gives ascending ids that say when they were made', () => {
    const ids = createIdSource()
    const first = ids.next(NOW)
    const second = ids.next(NOW)
    const later = ids.next(NOW + 5)
    expect(first).toBe(firstIdAt(NOW))
    expect(second).toBe(first + 1)
    expect(later).toBe(firstIdAt(NOW + 5))
    expect([timeOfId(first), timeOfId(second), timeOfId(later)]).toEqual([NOW, NOW, NOW + 5])
    expect(ids.last()).toBe(later)
  })

  test('never repeats nor goes back when a millisecond has more ids than its counter holds', () => {
    const ids = createIdSource()
    let last = 0
    const COUNT = PER_MS * 3 + 7
    for (let i = 0; i < COUNT; i++) {
      const id = ids.next(NOW)
      expect(id > last).toBe(true)
      last = id
    }
    // The overflow borrows from the next milliseconds, and time catches up with it.
    expect(timeOfId(last)).toBe(NOW + 3)
    expect(ids.next(NOW + 1)).toBe(last + 1)
    expect(ids.next(NOW + 100)).toBe(firstIdAt(NOW + 100))
  })

  test('goes on upwards when the clock goes back, even to before there was a hub', () => {
    const ids = createIdSource()
    const last = ids.next(NOW)
    expect(ids.next(NOW - 3_600_000)).toBe(last + 1)
    expect(ids.next(0)).toBe(last + 2)
    expect(createIdSource().next(0)).toBe(1)
  })

  test('stays above what another process has given out', () => {
    const ids = createIdSource()
    const theirs = firstIdAt(NOW + 50) + 9
    ids.notBefore(theirs)
    expect(ids.next(NOW)).toBe(theirs + 1)
    ids.notBefore(5)
    expect(ids.last()).toBe(theirs + 1)
  })

  test('has numbers for decades: they are exact and fit eleven characters until 2094', () => {
    const far = firstIdAt(Date.UTC(2094, 0, 1))
    expect(Number.isSafeInteger(far + PER_MS)).toBe(true)
    expect(parseId('job', formatId('job', far))).toBe(far as never)
  })
})

describe('the text of an id', () => {
  test('is its prefix and eleven characters, and reads back as the same id', () => {
    const random = seededRandom(1)
    const samples = [0, 1, 31, 32, 2 ** 32, LARGEST, firstIdAt(NOW)]
    for (let i = 0; i < 500; i++) samples.push(Math.floor(random.next() * LARGEST))
    for (const kind of KINDS) {
      for (const id of samples) {
        const text = formatId(kind, id)
        expect(text).toMatch(/^[a-z]{3}_[0-9a-hjkmnp-tv-z]{11}$/)
        expect(parseId(kind, text)).toBe(id as never)
      }
    }
  })

  test('sorts as text as the ids sort as numbers', () => {
    const random = seededRandom(2)
    const ids = Array.from({ length: 2_000 }, () => Math.floor(random.next() * LARGEST))
    const byNumber = ids.toSorted((a, b) => a - b).map(id => formatId('job', id))
    const byText = ids.map(id => formatId('job', id)).toSorted()
    expect(byText).toEqual(byNumber)
  })

  test('has the documented prefixes, each its own', () => {
    expect(formatId('job', 1)).toBe('job_00000000001')
    expect(formatId('entry', 1)).toBe('txn_00000000001')
    expect(new Set(Object.values(PREFIX)).size).toBe(KINDS.length)
  })

  test('of another kind is not an id of this kind', () => {
    for (const kind of KINDS) {
      for (const other of KINDS) {
        const found = parseId(other, formatId(kind, 77))
        expect(found).toBe(kind === other ? (77 as never) : null)
      }
    }
  })

  const wrong: Record<string, string> = {
    nothing: '',
    'a prefix alone': 'job_',
    'no prefix': '00000000001',
    'one character too few': 'job_0000000001',
    'one character too many': 'job_000000000001',
    'a capital prefix': 'JOB_00000000001',
    'a capital letter': 'job_0000000000A',
    'letters that look like digits (i)': 'job_0000000000i',
    'letters that look like digits (l)': 'job_0000000000l',
    'letters that look like digits (o)': 'job_0000000000o',
    'the letter u': 'job_0000000000u',
    'a minus': 'job_-0000000001',
    'a blank': 'job_ 0000000001',
    'a blank behind': 'job_00000000001 ',
    'a line break': 'job_0000000000\n',
    'a hyphen for the underscore': 'job-00000000001',
    'a number': '123456789012345',
    'more than a safe integer': 'job_zzzzzzzzzzz',
    'one more than the largest safe integer': 'job_80000000000',
    'a character of two code units': 'job_000000000\u{1F600}',
    'wide digits': 'job_0000000000\uff11',
  }
  for (const [what, text] of Object.entries(wrong)) {
    test(`is refused when it is ${what}`, () => expect(parseId('job', text)).toBeNull())
  }

  test('that is not an id is not found, whoever requires it', () => {
    expect(requireId('job', formatId('job', 5))).toBe(5 as never)
    const refused = () => requireId('job', formatId('file', 5))
    expect(refused).toThrow(AppError)
    try {
      refused()
    } catch (error) {
      expect(error).toMatchObject({ code: 'not_found' })
    }
  })
})

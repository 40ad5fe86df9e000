import { describe, expect, test } from 'bun:test'
import { randomBytes } from 'node:crypto'
import { isWellFormedKey, type KeyKind } from '@/domain/apps'
import { hashKey, KEY_RANDOM_BYTES, makeKeyText } from '@/domain/apps/key-text'

const ALPHANUMERIC = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

function aKey(kind: KeyKind = 'secret', prefix = 'pm') {
  return makeKeyText(prefix, 'live', kind, randomBytes(KEY_RANDOM_BYTES))
}

describe('the text of a key', () => {
  test('has the documented shape, by kind and mode', () => {
    const random = randomBytes(KEY_RANDOM_BYTES)
    const shapes = {
      secretLive: makeKeyText('pm', 'live', 'secret', random).text,
      secretTest: makeKeyText('pm', 'test', 'secret', random).text,
      publishable: makeKeyText('photomagic12', 'live', 'publishable', random).text,
    }
    expect(shapes.secretLive).toMatch(/^pm_live_[0-9A-Za-z]{43}[0-9A-Za-z]{6}$/)
    expect(shapes.secretTest).toMatch(/^pm_test_[0-9A-Za-z]{43}[0-9A-Za-z]{6}$/)
    expect(shapes.publishable).toMatch(/^photomagic12_live_pk_[0-9A-Za-z]{43}[0-9A-Za-z]{6}$/)
    for (const text of Object.values(shapes)) expect(isWellFormedKey(text)).toBe(true)
    // The same secret part, but the checksum covers what stands before it.
    expect(new Set(Object.values(shapes).map(text => text.slice(-6))).size).toBe(3)
  })

  test('is shown up to and with the first four characters of its secret part', () => {
    for (const kind of ['secret', 'publishable'] as const) {
      const { text, display } = aKey(kind)
      const head = kind === 'secret' ? 'pm_live_' : 'pm_live_pk_'
      expect(display).toHaveLength(head.length + 4)
      expect(text.startsWith(display)).toBe(true)
      expect(display.startsWith(head)).toBe(true)
    }
  })

  test('with any one character changed, missing, doubled or swapped is refused', () => {
    for (const { text } of [aKey('secret'), aKey('publishable', 'a1')]) {
      let changes = 0
      for (let at = 0; at < text.length; at++) {
        const before = text.slice(0, at)
        const after = text.slice(at + 1)
        for (const other of `${ALPHANUMERIC}_-. `) {
          if (other === text[at]) continue
          changes++
          expect(isWellFormedKey(before + other + after)).toBe(false)
        }
        expect(isWellFormedKey(before + after)).toBe(false)
        expect(isWellFormedKey(before + text[at] + text[at] + after)).toBe(false)
        if (text[at] !== text[at + 1]) {
          const swapped = before + text.slice(at + 1, at + 2) + text[at] + text.slice(at + 2)
          expect(swapped === text || !isWellFormedKey(swapped)).toBe(true)
        }
      }
      expect(changes).toBeGreaterThan(text.length * 60)
    }
  })

  test('is never mistaken for one with something around it', () => {
    const { text } = aKey()
    for (const wrong of [
      '',
      ` ${text}`,
      `${text} `,
      `${text}\n`,
      `x${text}`,
      `${text}${text}`,
      'Bearer',
    ]) {
      expect(isWellFormedKey(wrong)).toBe(false)
    }
  })

  test('draws every character about as often: no letter is favoured by a remainder', () => {
    const counts = new Map<string, number>()
    const KEYS = 4_000
    for (let i = 0; i < KEYS; i++) {
      for (const character of aKey().text.slice('pm_live_'.length, -6)) {
        counts.set(character, (counts.get(character) ?? 0) + 1)
      }
    }
    const expected = (KEYS * 43) / 62
    expect(counts.size).toBe(62)
    // A byte taken modulo 62 would favour the first eight by a quarter; chance alone moves 10 %.
    for (const count of counts.values()) {
      expect(count / expected).toBeGreaterThan(0.9)
      expect(count / expected).toBeLessThan(1.1)
    }
  })

  test('never repeats, and its hash is 32 bytes', () => {
    const texts = Array.from({ length: 2_000 }, () => aKey().text)
    expect(new Set(texts).size).toBe(texts.length)
    expect(hashKey(texts[0] ?? '')).toHaveLength(32)
  })
})

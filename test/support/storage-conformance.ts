import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { Storage } from '@/storage/spec'

export type StorageHarness = {
  storage: Storage
  /** Another one over the same bytes, as after a restart. */
  again(): Storage
  close?(): Promise<void>
}

const KEY = 'fil_0123456789a'
const OTHER = 'fil_0123456789b'

/** What every store must do, wherever it keeps its bytes. */
export function storageConformance(
  name: string,
  make: () => StorageHarness | Promise<StorageHarness>,
): void {
  describe(`${name} conforms`, () => {
    let harness: StorageHarness
    let storage: Storage

    beforeEach(async () => {
      harness = await make()
      storage = harness.storage
    })
    afterEach(async () => {
      await harness.close?.()
    })

    const read = async (key: string, range?: { start: number; end: number }) => {
      const blob = await storage.get(key, range)
      return blob ? new Uint8Array(await blob.arrayBuffer()) : null
    }

    test('has the name that it goes by', () => {
      expect(storage.name).toBe(name)
    })

    test.each([1, 4_095, 65_537, 3_000_000])('gives back %p bytes as they were put', async size => {
      const content = bytes(size)
      await storage.put(KEY, content)
      expect(await read(KEY)).toEqual(content)
      expect(await storage.size(KEY)).toBe(size)
    })

    test('keeps no hold of the array that it was given', async () => {
      const content = bytes(1_000)
      await storage.put(KEY, content)
      content.fill(0)
      expect(await read(KEY)).toEqual(bytes(1_000))
    })

    test('stores the part of a larger buffer that it was given, and no more', async () => {
      const large = bytes(100)
      await storage.put(KEY, large.subarray(10, 20))
      expect(await read(KEY)).toEqual(large.slice(10, 20))
    })

    test('has nothing where nothing was put', async () => {
      expect(await storage.get(KEY)).toBeNull()
      expect(await storage.size(KEY)).toBeNull()
      expect(await storage.get(KEY, { start: 0, end: 10 })).toBeNull()
    })

    test('keys do not touch each other', async () => {
      await storage.put(KEY, bytes(10))
      await storage.put(OTHER, bytes(20))
      await storage.delete(KEY)
      expect(await read(OTHER)).toEqual(bytes(20))
      expect(await storage.get(KEY)).toBeNull()
    })

    test('a second put replaces the first, shorter or longer', async () => {
      for (const size of [500, 20, 9_000]) {
        await storage.put(KEY, bytes(size))
        expect(await read(KEY)).toEqual(bytes(size))
        expect(await storage.size(KEY)).toBe(size)
      }
    })

    test.each([
      [0, 0],
      [0, 9],
      [5, 5],
      [90, 99],
      [0, 99],
      [95, 1_000],
    ])('reads bytes %p to %p, both included, and never beyond the end', async (start, end) => {
      await storage.put(KEY, bytes(100))
      expect(await read(KEY, { start, end })).toEqual(bytes(100).slice(start, end + 1))
    })

    test('deleting is final, and deleting what is not there is no error', async () => {
      await storage.put(KEY, bytes(10))
      await storage.delete(KEY)
      expect(await storage.get(KEY)).toBeNull()
      await storage.delete(KEY)
      await storage.delete(OTHER)
    })

    test('what was put is there after a restart', async () => {
      await storage.put(KEY, bytes(1_000))
      storage = harness.again()
      expect(await read(KEY)).toEqual(bytes(1_000))
      await storage.delete(KEY)
      expect(await harness.storage.get(KEY)).toBeNull()
    })

    test('many puts of one key at once leave one of them, whole', async () => {
      const sizes = [10, 200_000, 3, 70_000, 5_000, 1]
      await Promise.all(sizes.map(size => storage.put(KEY, bytes(size))))
      const content = await read(KEY)
      expect(sizes).toContain(content?.length ?? -1)
      expect(content).toEqual(bytes(content?.length ?? 0))
    })

    test('many keys at once are all there', async () => {
      const keys = Array.from(
        { length: 50 },
        (_, index) => `fil_${String(index).padStart(11, '0')}`,
      )
      await Promise.all(keys.map((key, index) => storage.put(key, bytes(index + 1))))
      for (const [index, key] of keys.entries()) expect(await read(key)).toEqual(bytes(index + 1))
    })

    test('a reader beside a writer sees the old bytes or the new ones, never half', async () => {
      await storage.put(KEY, bytes(50_000))
      const writing = storage.put(KEY, bytes(90_000))
      const seen = await Promise.all(Array.from({ length: 20 }, () => read(KEY)))
      await writing
      for (const content of seen) {
        expect([50_000, 90_000]).toContain(content?.length ?? -1)
        expect(content).toEqual(bytes(content?.length ?? 0))
      }
    })

    const BAD_KEYS = [
      '',
      '..',
      '../fil_0123456789a',
      '/etc/passwd',
      'fil_../../../ab',
      'fil_0123456789a/..',
      'fil_0123456789a\n',
      'fil_0123456789a.png',
      'fil_0123456789',
      'fil_0123456789ab',
      'FIL_0123456789A',
      'fil_01234567\0ab',
      'fil_012345678\u00e9a',
    ]
    test.each(BAD_KEYS.map(key => [JSON.stringify(key), key]))(
      'the key %s is refused by every verb',
      async (_, key) => {
        const verbs: (() => Promise<unknown>)[] = [
          () => storage.put(key, bytes(1)),
          () => storage.get(key),
          () => storage.get(key, { start: 0, end: 1 }),
          () => storage.size(key),
          () => storage.delete(key),
        ]
        for (const verb of verbs) {
          const answer = await (async () => await verb())().catch(error => error)
          expect(answer).toBeInstanceOf(Error)
        }
      },
    )

    test('says that it can be written to', async () => {
      await storage.check()
      expect(await storage.get(KEY)).toBeNull()
    })
  })
}

/** The same for the same size, and different at each place. */
function bytes(size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + size) & 255)
}

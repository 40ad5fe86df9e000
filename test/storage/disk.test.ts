import { describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { storageConformance } from '@test/support/storage-conformance'
import { temporaryFolder } from '@test/support/test-db'
import { diskStorage } from '@/storage/disk/disk'

storageConformance('disk', () => {
  const folder = join(temporaryFolder(), 'files')
  return { storage: diskStorage(folder), again: () => diskStorage(folder) }
})

const KEY = 'fil_0123456789a'
const content = (size: number) => new Uint8Array(size).fill(7)

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => entry.name)
    .sort()
}

describe('a process that is killed in the middle of a put', () => {
  test('leaves the old bytes or all of the new ones, at whatever moment', async () => {
    const folder = temporaryFolder()
    const storage = diskStorage(folder)
    await storage.put(KEY, content(1_000))
    let interrupted = 0
    for (let round = 0; round < 8; round++) {
      const writer = Bun.spawn([process.execPath, '-e', KILLED, folder, KEY], {
        cwd: import.meta.dir,
        stderr: 'inherit',
      })
      const drafts = () =>
        filesIn(join(folder, 'tmp')).filter(name => name.includes(`.${writer.pid}.`))
      while (drafts().length === 0) await storage.size(KEY)
      for (let reads = 0; reads < round * 3; reads++) await storage.size(KEY)
      writer.kill('SIGKILL')
      await writer.exited
      interrupted += drafts().length
      const blob = await storage.get(KEY)
      const found = new Uint8Array((await blob?.arrayBuffer()) ?? new ArrayBuffer(0))
      expect([1_000, LARGE]).toContain(found.length)
      expect(found.every(byte => byte === 7)).toBe(true)
      expect(filesIn(folder).filter(name => name === KEY)).toEqual([KEY])
    }
    expect(interrupted).toBeGreaterThan(0)
  }, 20_000)
})

/** Puts a large blob for ever. */
const LARGE = 8 * 1024 * 1024
const KILLED = `
  const { diskStorage } = await import(${JSON.stringify(`${import.meta.dir}/../../src/storage/disk/disk.ts`)})
  const [folder, key] = process.argv.slice(-2)
  const storage = diskStorage(folder)
  const bytes = new Uint8Array(${LARGE}).fill(7)
  // Killed long before; a test that is itself cut off leaves nothing running for ever.
  for (const until = performance.now() + 30_000; performance.now() < until; ) await storage.put(key, bytes)
`

test('a put that fails leaves no draft and the old bytes in place', async () => {
  const folder = temporaryFolder()
  const storage = diskStorage(folder)
  await storage.put(KEY, content(10))
  // A folder in the way of the blob: the rename fails after the draft was written.
  const path = join(folder, '9a', KEY)
  rmSync(path)
  mkdirSync(path)
  writeFileSync(join(path, 'in-the-way'), '')
  const error: unknown = await storage.put(KEY, content(20)).catch(thrown => thrown)
  expect(error).toBeInstanceOf(Error)
  expect(filesIn(join(folder, 'tmp'))).toEqual([])
  expect(filesIn(path)).toEqual(['in-the-way'])
})

test('blobs are spread over subfolders by the end of their key, so none grows large', async () => {
  const folder = temporaryFolder()
  const storage = diskStorage(folder)
  await storage.put(KEY, content(1))
  await storage.put('fil_0123456789b', content(1))
  expect(existsSync(join(folder, '9a', KEY))).toBe(true)
  expect(existsSync(join(folder, '9b', 'fil_0123456789b'))).toBe(true)
})

test('a check that cannot write throws, and leaves nothing where it can', async () => {
  const folder = join(temporaryFolder(), 'files')
  const storage = diskStorage(folder)
  await storage.check()
  expect(filesIn(folder)).toEqual([])
  rmSync(join(folder, 'tmp'), { recursive: true })
  writeFileSync(join(folder, 'tmp'), 'a file where the folder should be')
  chmodSync(folder, 0o700)
  const error: unknown = await diskStorage(folder)
    .check()
    .catch(thrown => thrown)
  expect(error).toBeInstanceOf(Error)
})

test('nothing is touched in the file system before something is stored', async () => {
  const folder = join(temporaryFolder(), 'files')
  const storage = diskStorage(folder)
  expect(await storage.get(KEY)).toBeNull()
  await storage.delete(KEY)
  expect(existsSync(folder)).toBe(false)
})

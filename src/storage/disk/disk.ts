import { rmSync } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { invariant } from '@/base/invariant'
import type { Storage } from '../spec'

/** Keys are our own file ids; anything else would be a way out of the folder. */
const KEY = /^[a-z]{3}_[0-9a-z]{11}$/

/**
 * Blobs under a folder, spread over 1,024 subfolders by the last two characters of their key. `isAlone`: no
 * other process writes here, so the drafts of one that was killed are removed.
 */
export function diskStorage(folder: string, options: { isAlone?: boolean } = {}): Storage {
  const madeFolders = new Set<string>()
  const temporary = join(folder, 'tmp')
  if (options.isAlone) rmSync(temporary, { recursive: true, force: true })
  let counter = 0

  const pathOf = (key: string) => {
    invariant(KEY.test(key), 'a blob is named by a file id')
    return join(folder, key.slice(-2), key)
  }
  const ensureFolder = async (path: string) => {
    if (madeFolders.has(path)) return
    await mkdir(path, { recursive: true })
    // A new folder is durable only when the one above it is.
    await syncFolder(dirname(path))
    madeFolders.add(path)
  }

  return {
    name: 'disk',
    async put(key, bytes) {
      const path = pathOf(key)
      await ensureFolder(temporary)
      await ensureFolder(dirname(path))
      const draft = join(temporary, `${key}.${process.pid}.${counter++}`)
      try {
        await writeDurably(draft, bytes)
        await rename(draft, path)
      } catch (error) {
        await rm(draft, { force: true })
        throw error
      }
      await syncFolder(dirname(path))
    },
    async get(key, range) {
      const file = Bun.file(pathOf(key))
      if (!(await file.exists())) return null
      return range ? file.slice(range.start, range.end + 1) : file
    },
    async size(key) {
      const file = Bun.file(pathOf(key))
      return (await file.exists()) ? file.size : null
    },
    async delete(key) {
      await rm(pathOf(key), { force: true })
    },
    async check() {
      await ensureFolder(temporary)
      const probe = join(temporary, `probe.${process.pid}`)
      await writeDurably(probe, new Uint8Array([1]))
      await rm(probe, { force: true })
    },
  }
}

async function writeDurably(path: string, bytes: Uint8Array) {
  const handle = await open(path, 'w')
  try {
    await handle.writeFile(bytes)
    await handle.datasync()
  } finally {
    await handle.close()
  }
}

/** A rename is durable only when its folder is. */
async function syncFolder(path: string) {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

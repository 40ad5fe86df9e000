import { AppError } from '@/base/errors'
import { type FileId, formatId, parseId } from '@/base/ids'
import type { Db } from '@/db/open'
import { query } from '@/db/statements'
import type { Deps } from '@/deps'
import { isLinkGood } from './link'

export type StoredFile = { id: FileId; contentType: string; bytes: number; sha256: string }
export type OpenedFile = StoredFile & {
  read(range?: { start: number; end: number }): Promise<Blob>
}

const select = query<{ id: number }, StoredFile>(
  `SELECT id, content_type AS contentType, bytes, sha256 FROM files WHERE id = $id AND is_doomed = 0`,
)

export function findFile(db: Db, id: FileId): StoredFile | null {
  return select.get(db, { id })
}

/** The file behind a signed address. One 404 for a bad signature, an ended one and a deleted file. */
export function openLink(
  deps: Deps,
  link: { name: string; expiry: string; signature: string },
): OpenedFile {
  const text = link.name.replace(/\.[a-z0-9]{1,5}$/, '')
  const id = parseId('file', text)
  const isGood = id !== null && isLinkGood(deps, text, link.expiry, link.signature)
  const file = isGood ? findFile(deps.db, id) : null
  if (!file) throw new AppError('not_found')
  return {
    ...file,
    async read(range) {
      const blob = await deps.storage.get(formatId('file', file.id), range)
      if (!blob) throw new AppError('not_found', { internal: `the blob of ${text} is missing` })
      return blob
    },
  }
}

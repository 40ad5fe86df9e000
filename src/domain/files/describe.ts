import { isoSeconds } from '@/base/clock'
import { type FileId, formatId } from '@/base/ids'
import type { Deps } from '@/deps'
import { linkTo } from './link'

/** An output of a job as it is stored: a file or a text. */
export type StoredOutput = {
  position: number
  text: string | null
  fileId: FileId | null
  contentType: string | null
  width: number | null
  height: number | null
  durationMs: number | null
  bytes: number | null
  expiresAt: number | null
}

/** The same on the wire (CONTRACT section 3): in answers and in webhooks. */
export type OutputView = {
  index: number
  url: string | null
  url_expires_at: string | null
  expires_at: string | null
  file_id: string | null
  text: string | null
  content_type: string | null
  width: number | null
  height: number | null
  duration_seconds: number | null
  bytes: number | null
}

/** With addresses that live at least `linkMs`. */
export function describe(
  deps: Pick<Deps, 'secrets' | 'clock'>,
  baseUrl: string,
  output: StoredOutput,
  linkMs: number,
): OutputView {
  const { fileId, contentType } = output
  const link =
    fileId && contentType ? linkTo(deps, baseUrl, { id: fileId, contentType }, linkMs) : null
  return {
    index: output.position,
    url: link?.url ?? null,
    url_expires_at: link ? isoSeconds(link.expiresAt) : null,
    expires_at: output.expiresAt === null ? null : isoSeconds(output.expiresAt),
    file_id: fileId ? formatId('file', fileId) : null,
    text: output.text,
    content_type: contentType ?? (output.text === null ? null : 'text/plain'),
    width: output.width,
    height: output.height,
    duration_seconds: output.durationMs === null ? null : output.durationMs / 1000,
    bytes: output.bytes,
  }
}

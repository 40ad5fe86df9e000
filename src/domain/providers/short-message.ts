import { redact } from '@/base/secrets'

/** Enough for a sentence of a vendor in one line of a table. */
const MAX_LENGTH = 200
/** What is looked at: a vendor's error page may be long. */
const MAX_READ = 4_000
/** A vendor may quote the key in part; this many of its characters in a row are no coincidence. */
const SHORTEST_PIECE = 8

/**
 * A vendor's words in one short line: without control characters, which a terminal would obey, and without
 * our key or pieces of it.
 */
export function shortMessage(text: string, apiKey: string | null): string {
  const line = text
    .slice(0, MAX_READ)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
  const clean = String(redact('message', apiKey === null ? line : withoutKey(line, apiKey)))
  return clean.length <= MAX_LENGTH ? clean : `${clean.slice(0, MAX_LENGTH - 3)}...`
}

function withoutKey(text: string, apiKey: string): string {
  const shortest = Math.min(SHORTEST_PIECE, apiKey.length)
  let kept = ''
  for (let at = 0; at < text.length; ) {
    let length = 0
    const isPiece = (end: number) => end <= text.length && apiKey.includes(text.slice(at, end))
    if (isPiece(at + shortest)) {
      length = shortest
      while (isPiece(at + length + 1)) length++
    }
    kept += length > 0 ? '***' : text.charAt(at)
    at += Math.max(length, 1)
  }
  return kept
}

/** What a film says of itself. Null where it does not say, or says what cannot be. */
export type Film = { width: number | null; height: number | null; durationMs: number | null }

/**
 * Reads an MP4's index: nested boxes of a size, a four-letter type and a content (ISO 14496-12). Null when
 * there is no index or no picture track in it, so that no player can show it.
 *
 * The bytes are a stranger's. Nothing is believed beyond the box that it stands in, a box that claims more
 * than its parent has ends the reading there, the number of boxes is bounded, and the depth is that of the
 * code: no function calls itself. It never throws.
 */
export function measureMp4(bytes: Uint8Array): Film | null {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const walk = { boxesLeft: MAX_BOXES }
  // At the end as well as in front: the walk steps over the pictures without looking at them.
  const moov = child(file, 'moov', walk)
  if (!moov) return null
  const parts = Array.from(boxesIn(moov, walk))
  const tracks = parts
    .filter(({ type }) => type === 'trak')
    .map(({ body }) => readTrack(body, walk))
  const films = tracks.filter(({ isVideo }) => isVideo)
  // A cover picture may be a track of its own; it is switched off, or behind the film.
  const film = films.find(({ isEnabled }) => isEnabled) ?? films[0]
  if (!film) return null
  return { ...film.size, durationMs: durationOf(parts, film.durationMs, walk) }
}

/** Films made in one piece have under a hundred; fragmented ones two a fragment, behind their index. */
const MAX_BOXES = 10_000

/** Nobody sells a film of a day. What claims more is wrong, and no app should have to show it. */
const LONGEST_MS = 24 * 3_600_000

type Box = { type: string; body: DataView }
type Walk = { boxesLeft: number }
type Size = { width: number | null; height: number | null }
type Track = { isVideo: boolean; isEnabled: boolean; size: Size; durationMs: number | null }

/** The boxes side by side in `parent`, up to the first that cannot be one. */
function* boxesIn(parent: DataView, walk: Walk): Generator<Box> {
  let at = 0
  while (at + 8 <= parent.byteLength && walk.boxesLeft > 0) {
    walk.boxesLeft--
    const left = parent.byteLength - at
    const [head, size] = headOf(parent, at, left)
    // Never below its own head, so each step goes forward.
    if (size < head || size > left) return
    const type = latin1(parent, at + 4)
    yield { type, body: new DataView(parent.buffer, parent.byteOffset + at + head, size - head) }
    at += size
  }
}

/** How long a box's head is, and the whole box. 1 announces a size of 64 bits, 0 means up to the end. */
function headOf(parent: DataView, at: number, left: number): [head: number, size: number] {
  const size = parent.getUint32(at)
  if (size === 0) return [8, left]
  if (size !== 1) return [8, size]
  // Numbers above 2^53 lose digits here and are far beyond `left` all the same.
  return left < 16 ? [16, 0] : [16, Number(parent.getBigUint64(at + 8))]
}

function child(parent: DataView, type: string, walk: Walk): DataView | null {
  for (const box of boxesIn(parent, walk)) if (box.type === type) return box.body
  return null
}

function readTrack(trak: DataView, walk: Walk): Track {
  const tkhd = child(trak, 'tkhd', walk)
  const mdia = child(trak, 'mdia', walk)
  const hdlr = mdia && child(mdia, 'hdlr', walk)
  const mdhd = mdia && child(mdia, 'mdhd', walk)
  return {
    isVideo: hdlr !== null && hdlr.byteLength >= 12 && latin1(hdlr, 8) === 'vide',
    // The lowest of the flags' 24 bits.
    isEnabled: tkhd !== null && tkhd.byteLength >= 4 && (tkhd.getUint32(0) & 1) === 1,
    size: tkhd ? shownSize(tkhd) : UNKNOWN_SIZE,
    durationMs: mdhd && readDuration(mdhd),
  }
}

const UNKNOWN_SIZE: Size = { width: null, height: null }

/**
 * As a player shows it: the size of the track's head, which has square pixels, turned as its matrix says. A
 * phone films upright by turning what lies.
 */
function shownSize(tkhd: DataView): Size {
  const matrix = 4 + (isLong(tkhd) ? 32 : 20) + 16
  if (tkhd.byteLength < matrix + 36 + 8) return UNKNOWN_SIZE
  // Fixed point of 16 and 16 bits.
  const [width, height] = [matrix + 36, matrix + 40].map(at =>
    Math.round(tkhd.getUint32(at) / 65_536),
  )
  if (!width || !height) return UNKNOWN_SIZE
  // Of | a b u / c d v / x y w |, a and d stretch along the axes, b and c exchange them.
  const [a = 0, b = 0, c = 0, d = 0] = [0, 4, 12, 16].map(at =>
    Math.abs(tkhd.getInt32(matrix + at)),
  )
  return b > a && c > d ? { width: height, height: width } : { width, height }
}

/**
 * The presentation's own, else the track's. In a film of fragments both tell only of what stands in the
 * index, so there the whole is known from `mehd` alone, which need not be there.
 */
function durationOf(parts: Box[], trackMs: number | null, walk: Walk): number | null {
  const mvhd = parts.find(({ type }) => type === 'mvhd')?.body
  const mvex = parts.find(({ type }) => type === 'mvex')?.body
  if (!mvex) return (mvhd && readDuration(mvhd)) ?? trackMs
  const mehd = child(mvex, 'mehd', walk)
  const timescale = mvhd && readTimescale(mvhd)
  if (!mehd || !timescale) return null
  return toMs(readCount(mehd, 4, isLong(mehd)), timescale)
}

/** `mvhd` and `mdhd` begin alike: version and flags, two dates, ticks a second, ticks. */
function readDuration(head: DataView): number | null {
  const timescale = readTimescale(head)
  if (timescale === null) return null
  return toMs(readCount(head, isLong(head) ? 24 : 16, isLong(head)), timescale)
}

function readTimescale(head: DataView): number | null {
  return readCount(head, isLong(head) ? 20 : 12, false)
}

/** Version 1 has dates and durations of 64 bits, version 0 of 32. */
function isLong(head: DataView): boolean {
  return head.byteLength > 0 && head.getUint8(0) === 1
}

/** A whole number; null where the box is too short, and for all bits set, which means unknown. */
function readCount(head: DataView, at: number, isOf64: boolean): number | null {
  if (head.byteLength < at + (isOf64 ? 8 : 4)) return null
  if (!isOf64) {
    const count = head.getUint32(at)
    return count === 0xffff_ffff ? null : count
  }
  // All of 64 bits is far above every bound, so that it needs no case of its own.
  return Number(head.getBigUint64(at))
}

function toMs(ticks: number | null, timescale: number): number | null {
  if (!ticks) return null
  // A clock that does not tick makes it infinite, which is beyond the bound.
  const ms = Math.round((ticks / timescale) * 1000)
  return ms > 0 && ms <= LONGEST_MS ? ms : null
}

function latin1(view: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map(offset => view.getUint8(at + offset)))
}

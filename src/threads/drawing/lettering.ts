import { blend, type Canvas, fillRounded } from './canvas'
import { type Lab, toRgb } from './colour'
import { CAPITAL_ROWS, GLYPH_COLUMNS, GLYPH_ROWS, glyphOf } from './font'
import type { Palette } from './palette'

/** The prompt on a dark panel at the foot of the picture, in the largest letters that fit. */
export function paintPrompt(
  canvas: Canvas,
  palette: Palette,
  prompt: string,
  caption: string,
): void {
  const { width, height } = canvas
  const margin = Math.round(Math.min(width, height) * 0.05)
  const { scale, lines } = fit(prompt, width - 2 * margin, height * PANEL_SHARE)
  const padding = scale * PADDING
  const small = captionScale(caption, scale, width - 2 * margin - 2 * padding)
  const textWidth = Math.max(...lines.map(line => widthOf(line, scale)), widthOf(caption, small))
  const textHeight = lines.length * LINE_ROWS * scale
  const box = {
    left: margin,
    top: height - margin - (textHeight + 2 * padding + LINE_ROWS * small),
    width: Math.min(textWidth + 2 * padding, width - 2 * margin),
    height: textHeight + 2 * padding + LINE_ROWS * small,
  }
  fillRounded(canvas, box, scale * 4, palette.panel, 0.66)
  const left = box.left + padding
  const top = box.top + padding
  for (const [index, line] of lines.entries()) {
    paintText(canvas, line, left, top + index * LINE_ROWS * scale, scale, palette.ink)
  }
  const captionTop = box.top + box.height - padding - CAPITAL_ROWS * small
  paintText(canvas, caption, left, captionTop, small, palette.accent)
}

/** A small plate in the upper right corner that says where the picture comes from. */
export function paintMark(canvas: Canvas, palette: Palette, mark: string): void {
  const scale = Math.max(Math.round(Math.min(canvas.width, canvas.height) / 420), 1)
  const margin = Math.round(Math.min(canvas.width, canvas.height) * 0.035)
  const width = widthOf(mark, scale) + scale * 10
  const height = (CAPITAL_ROWS + 8) * scale
  const left = canvas.width - margin - width
  fillRounded(canvas, { left, top: margin, width, height }, height / 2, palette.panel, 0.5)
  paintText(canvas, mark, left + scale * 5, margin + scale * 4, scale, palette.ink)
}

/** Rows from one line to the next, and the free space around the text, both in dots of the font. */
const LINE_ROWS = GLYPH_ROWS + 3
const PADDING = 6
const ADVANCE = GLYPH_COLUMNS + 1
/** Pixels a dot: below two nobody reads it on a phone, above six it shouts. */
const LARGEST_SCALE = 6
const SMALLEST_SCALE = 2
/**
 * The picture stays a picture: the largest letters are for two lines, and text takes at most this
 * share of its height.
 */
const PANEL_SHARE = 0.42
/** A prompt may have 32 KB; more than this never fits, so no more is looked at. */
const LONGEST_TEXT = 4_000

/** Half the letters of the prompt, or less where the line would be longer than the panel. */
function captionScale(caption: string, scale: number, width: number): number {
  const half = Math.floor(scale / 2)
  return Math.max(Math.min(half, Math.floor(width / widthOf(caption, 1))), 1)
}

function fit(
  prompt: string,
  width: number,
  height: number,
): { scale: number; lines: [string, ...string[]] } {
  const text = printable(prompt)
  for (let scale = LARGEST_SCALE; ; scale--) {
    const columns = Math.max(Math.floor((width / scale - 2 * PADDING + 1) / ADVANCE), 1)
    const room = Math.max(Math.floor((height / scale - 2 * PADDING) / LINE_ROWS), 1)
    const lines = wrap(text, columns)
    if (scale === SMALLEST_SCALE) return { scale, lines: cut(lines, room, columns) }
    if (lines.length <= Math.min(room, 2 * (LARGEST_SCALE + 1 - scale))) return { scale, lines }
  }
}

function cut(lines: [string, ...string[]], room: number, columns: number): [string, ...string[]] {
  const [first, ...rest] = lines
  if (lines.length <= room) return lines
  const kept: [string, ...string[]] = [first, ...rest.slice(0, room - 1)]
  const last = kept.length - 1
  kept[last] = `${[...(kept[last] ?? '')].slice(0, Math.max(columns - 3, 0)).join('')}...`
  return kept
}

/**
 * One character a code point: composed where possible, blanks are spaces, other controls are left
 * out.
 */
function printable(prompt: string): string {
  return prompt
    .slice(0, LONGEST_TEXT)
    .normalize('NFC')
    .replace(/\r\n?|[\u2028\u2029]/g, '\n')
    .replace(/[^\S\n]+/g, ' ')
    .replace(/(?!\n)\p{Cc}/gu, '')
    .trim()
}

function wrap(text: string, columns: number): [string, ...string[]] {
  const lines: string[] = []
  for (const paragraph of text.split('\n')) lines.push(...wrapParagraph(paragraph, columns))
  const [first = '', ...rest] = lines
  return [first, ...rest]
}

/** Breaks at spaces, and inside a word only when the word alone is longer than a line. */
function wrapParagraph(paragraph: string, columns: number): string[] {
  const lines: string[] = []
  let line: string[] = []
  for (const word of paragraph.split(' ')) {
    let letters = [...word]
    if (line.length > 0 && line.length + 1 + letters.length <= columns) {
      line.push(' ', ...letters)
      continue
    }
    if (line.length > 0) lines.push(line.join(''))
    while (letters.length > columns) {
      lines.push(letters.slice(0, columns).join(''))
      letters = letters.slice(columns)
    }
    line = letters
  }
  lines.push(line.join(''))
  return lines
}

function widthOf(text: string, scale: number): number {
  return ([...text].length * ADVANCE - 1) * scale
}

function paintText(
  canvas: Canvas,
  text: string,
  left: number,
  top: number,
  scale: number,
  colour: Lab,
): void {
  const rgb = toRgb(colour)
  for (const [index, character] of [...text].entries()) {
    const x = left + index * ADVANCE * scale
    for (const [row, bits] of glyphOf(character).entries()) {
      for (let column = 0; column < GLYPH_COLUMNS; column++) {
        const isInk = (bits >> (GLYPH_COLUMNS - 1 - column)) & 1
        if (isInk) dot(canvas, x + column * scale, top + row * scale, scale, rgb)
      }
    }
  }
}

function dot(
  canvas: Canvas,
  left: number,
  top: number,
  size: number,
  rgb: Parameters<typeof blend>[3],
): void {
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) blend(canvas, left + x, top + y, rgb, 1)
  }
}

import { describe, expect, test } from 'bun:test'
import { type Cell, csvResponse, csvRow, prefersCsv } from '@/http/csv'

describe('a row', () => {
  test.each([
    [['a', 1, null, -2, 0.5], 'a,1,,-2,0.5\r\n'],
    [['with, comma', 'with "quotes"', 'two\nlines', 'back\rback'], null],
    [[''], '\r\n'],
  ] as [Cell[], string | null][])('%j', (cells, line) => {
    if (line === null) expect(parsed(csvRow(cells))).toEqual([cells.map(String)])
    else expect(csvRow(cells)).toBe(line)
  })
  test('of names that a spreadsheet would compute is text', () => {
    for (const name of ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', "=cmd|' /C calc'!A0"]) {
      const [row] = parsed(csvRow([name, 7]))
      expect(row).toEqual([`'${name}`, '7'])
      expect(csvRow([name])).toStartWith('"\'')
    }
    expect(csvRow(['a=1', 'a-b', 'a@b.c', "'a"])).toBe("a=1,a-b,a@b.c,'a\r\n")
  })
})

describe('an answer', () => {
  async function* pages(...lists: Cell[][][]) {
    for (const list of lists) yield list
  }
  test('has its header, whatever comes after it', async () => {
    for (const [lists, body] of [
      [[], 'a,b\r\n'],
      [[[]], 'a,b\r\n'],
      [[[[1, 2]], [], [[3, null]]], 'a,b\r\n1,2\r\n3,\r\n'],
    ] as [Cell[][][], string][]) {
      const answer = await csvResponse('x.csv', ['a', 'b'], pages(...lists))
      expect(await answer.text()).toBe(body)
      expect(answer.headers.get('content-disposition')).toBe('attachment; filename="x.csv"')
    }
  })
  test('that fails at once is no answer, and one that fails later breaks off', async () => {
    async function* failing(after: number): AsyncGenerator<Cell[][]> {
      for (let i = 0; i < after; i++) yield [[i]]
      throw new Error('the disk is gone')
    }
    expect(csvResponse('x.csv', ['a'], failing(0))).rejects.toThrow('the disk is gone')
    const late = await csvResponse('x.csv', ['a'], failing(2))
    expect(late.text()).rejects.toThrow('the disk is gone')
  })
  test('that nobody reads on is not made', async () => {
    let made = 0
    let isOver = false
    async function* endless(): AsyncGenerator<Cell[][]> {
      try {
        for (;;) yield [[made++]]
      } finally {
        isOver = true
      }
    }
    const answer = await csvResponse('x.csv', ['a'], endless())
    const reader = answer.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    expect(isOver).toBe(true)
    expect(made).toBeLessThan(5)
  })
})

test.each([
  [null, false],
  ['', false],
  ['*/*', false],
  ['application/json', false],
  ['text/html,application/xhtml+xml,*/*;q=0.8', false],
  ['text/csv', true],
  ['TEXT/CSV; q=1', true],
  ['text/*', true],
  ['text/csv, */*;q=0.1', true],
  ['application/json, text/csv', false],
  ['application/json;q=0.5, text/csv', true],
  ['text/csv;q=0.5, application/json;q=0.9', false],
  ['text/csv;q=0, */*', false],
  ['text/csv;q=x', false],
  [';;,,;q=', false],
])('Accept: %p prefers CSV: %p', (accept, isPreferred) => {
  expect(prefersCsv(accept)).toBe(isPreferred)
})

/** A reader of RFC 4180 that is not ours in the least: by the grammar, a letter at a time. */
function parsed(text: string): string[][] {
  const rows: string[][] = [['']]
  let isQuoted = false
  for (let at = 0; at < text.length; at++) {
    const row = rows.at(-1) as string[]
    const letter = text.charAt(at)
    const put = (more: string) => row.splice(-1, 1, `${row.at(-1)}${more}`)
    if (isQuoted && letter === '"' && text[at + 1] === '"') put(text.charAt(at++))
    else if (letter === '"') isQuoted = !isQuoted
    else if (isQuoted) put(letter)
    else if (letter === ',') row.push('')
    else if (letter === '\r' && text[at + 1] === '\n') {
      at++
      rows.push([''])
    } else put(letter)
  }
  if (rows.at(-1)?.join() === '') rows.pop()
  return rows
}

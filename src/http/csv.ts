/** RFC 4180: a header row, lines that end with CR and LF, quotes doubled. Null is an empty cell. */
export type Cell = string | number | null

/**
 * An answer that grows as its pages come, so that its length costs no memory. What fails before the first of
 * them is an error with a status of its own; later the connection can only break off.
 */
export async function csvResponse(
  fileName: string,
  columns: readonly string[],
  pages: AsyncGenerator<Cell[][]>,
): Promise<Response> {
  const first = await pages.next()
  const head = csvRow(columns)
  const encoder = new TextEncoder()
  let next: Promise<IteratorResult<Cell[][]>> | null = null
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const rows = first.done ? [] : first.value
      controller.enqueue(encoder.encode(head + rows.map(csvRow).join('')))
    },
    async pull(controller) {
      next = pages.next()
      const page = await next
      if (page.done) controller.close()
      else controller.enqueue(encoder.encode(page.value.map(csvRow).join('')))
    },
    async cancel() {
      await pages.return(undefined)
    },
  })
  return new Response(body, {
    headers: {
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': `attachment; filename="${fileName}"`,
    },
  })
}

export function csvRow(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`
}

/** What a spreadsheet would take for a formula begins with an apostrophe: names are text from outside. */
const FORMULA = /^[=+\-@\t\r\n]/

function csvCell(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return String(cell)
  const text = FORMULA.test(cell) ? `'${cell}` : cell
  const isPlain = text === cell && !/[",\r\n]/.test(text)
  return isPlain ? text : `"${text.replaceAll('"', '""')}"`
}

/** Whether a caller asks for CSV rather than for JSON. Who takes both alike gets JSON. */
export function prefersCsv(accept: string | null): boolean {
  const wishes = (accept ?? '').split(',').map(wishOf)
  const liking = (...types: string[]) => {
    // The most exact of the types that are named decides.
    for (const type of types) {
      const found = wishes.find(wish => wish.type === type)
      if (found) return found.quality
    }
    return 0
  }
  return liking('text/csv', 'text/*') > liking('application/json', 'application/*', '*/*')
}

function wishOf(part: string): { type: string; quality: number } {
  const [type = '', ...parameters] = part.split(';').map(text => text.trim().toLowerCase())
  const given = parameters.find(text => text.startsWith('q='))
  const quality = given === undefined ? 1 : Number(given.slice(2))
  return { type, quality: Number.isNaN(quality) ? 0 : quality }
}

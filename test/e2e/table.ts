/** Columns as wide as their widest cell; the first one is text, the others are figures. */
export function table(head: string[], rows: (string | number)[][]): string {
  const all = [head, ...rows].map(row => row.map(String))
  const widths = head.map((_, column) => Math.max(...all.map(row => (row[column] ?? '').length)))
  return all
    .map(row =>
      row
        .map((text, column) => {
          const width = widths[column] ?? 0
          return column === 0 ? text.padEnd(width) : text.padStart(width)
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

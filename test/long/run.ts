import { table } from '@test/e2e/table'
import { FIGURES } from './figures'

/**
 * The proofs of test/e2e at their full size, which take minutes: `bun test/long/run.ts [word of a name ...]`.
 * Prints each figure with its mark, and ends with 1 when one of them is not good. HUB_COMMAND names the
 * command under test, as for the short form.
 */
const words = process.argv.slice(2)
const chosen = FIGURES.filter(({ name }) => words.every(word => name.includes(word)))
const rows: string[][] = []
for (const { name, measure } of chosen) {
  console.log(`\n--- ${name}`)
  const startedAt = performance.now()
  const { value, isGood } = await measure(text => console.log(text)).catch(error => ({
    value: error instanceof Error ? `${error.stack}` : String(error),
    isGood: false,
  }))
  const seconds = `${Math.round((performance.now() - startedAt) / 1_000)} s`
  console.log(`${isGood ? 'pass' : 'FAIL'}  ${value}  (${seconds})`)
  rows.push([name, isGood ? 'pass' : 'FAIL', seconds])
}
console.log(`\n${table(['figure', 'mark', 'took'], rows)}`)
const failed = rows.filter(([, mark]) => mark !== 'pass').length
console.log(`\n${rows.length - failed} passed, ${failed} failed`)
process.exit(failed === 0 && rows.length > 0 ? 0 : 1)

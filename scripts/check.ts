import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Glob } from 'bun'

/**
 * What must hold before anything is shipped, on a laptop and in CI alike: `bun run check`. Every step runs
 * whatever the one before it said, so that one run shows everything that is wrong; the fastest come first.
 * The last line is `N passed, N failed`, summed over all test runs.
 */
type Step = {
  name: string
  command: string[]
  env?: Record<string, string>
  /** A run of tests: one that ends without a summary has failed, whatever its exit code says. */
  hasTests?: true
  /** Absent: always. */
  when?: () => boolean
}

const ROOT = join(import.meta.dir, '..')
const EXECUTABLE = join(ROOT, 'dist/hub')
const END_TO_END = 'test/e2e'
/** People stop running what takes longer. */
const BUDGET_MS = 5 * 60_000

const STEPS: Step[] = [
  { name: 'install', command: ['bun', 'install', '--frozen-lockfile'] },
  { name: 'lint', command: ['bun', 'x', 'biome', 'ci', '.'] },
  { name: 'types', command: ['bun', 'x', 'tsc', '--noEmit'] },
  { name: 'tests', command: ['bun', 'run', 'test'], hasTests: true },
  { name: 'build', command: ['bun', 'run', 'build'] },
  {
    name: 'tests of the executable',
    command: ['bun', 'test', END_TO_END],
    env: { HUB_COMMAND: EXECUTABLE },
    hasTests: true,
    when: () => existsSync(EXECUTABLE) && hasTests(END_TO_END),
  },
]

function hasTests(folder: string): boolean {
  const found = new Glob(`${folder}/**/*.test.ts`).scanSync({ cwd: ROOT })
  return found.next().done !== true
}

type Result = { step: Step; ok: boolean; ms: number; passed: number; failed: number }

async function run(step: Step): Promise<Result> {
  console.log(`\n--- ${step.name}: ${step.command.join(' ')}`)
  const startedAt = performance.now()
  const child = Bun.spawn(step.command, {
    cwd: ROOT,
    env: { ...process.env, ...step.env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [, told] = await Promise.all([
    passOn(child.stdout, process.stdout),
    passOn(child.stderr, process.stderr),
  ])
  const code = await child.exited
  // Bun's summary is on standard error: " 12 pass", " 0 fail", and " 1 error" for what broke between tests.
  const passed = countOf(told, 'pass')
  const failed = (countOf(told, 'fail') ?? 0) + (countOf(told, 'error') ?? 0)
  const isCounted = !step.hasTests || (passed !== null && passed + failed > 0)
  if (code === 0 && !isCounted) console.log('no test was run')
  return {
    step,
    ok: code === 0 && isCounted && failed === 0,
    ms: performance.now() - startedAt,
    passed: passed ?? 0,
    failed,
  }
}

/** Shows it as it comes, and answers all of it. */
async function passOn(from: ReadableStream<Uint8Array>, to: NodeJS.WriteStream): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const piece of from) {
    to.write(piece)
    text += decoder.decode(piece, { stream: true })
  }
  return text
}

/** The last such line: what a test printed itself comes before. */
function countOf(told: string, word: 'pass' | 'fail' | 'error'): number | null {
  const lines = [...Bun.stripANSI(told).matchAll(new RegExp(`^ *(\\d+) ${word}s?$`, 'gm'))]
  const last = lines.at(-1)?.[1]
  return last === undefined ? null : Number(last)
}

const results: Result[] = []
for (const step of STEPS) {
  if (step.when?.() === false) console.log(`\n--- ${step.name}: left out, there is nothing to run`)
  else results.push(await run(step))
}

console.log('')
for (const { step, ok, ms } of results) {
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${(ms / 1000).toFixed(1).padStart(6)} s  ${step.name}`)
}
const totalMs = results.reduce((sum, { ms }) => sum + ms, 0)
const isSlow = totalMs > BUDGET_MS ? ', over the budget of 5 minutes' : ''
console.log(`       ${(totalMs / 1000).toFixed(1).padStart(6)} s  in all${isSlow}\n`)

const sum = (pick: (result: Result) => number) =>
  results.filter(({ step }) => step.hasTests).reduce((total, result) => total + pick(result), 0)
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1
console.log(`${sum(result => result.passed)} passed, ${sum(result => result.failed)} failed`)

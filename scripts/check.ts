import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Glob } from 'bun'

/**
 * What must hold before anything is shipped, on a laptop and in CI alike: `bun run check`. Every step runs
 * whatever the one before it said, so that one run shows everything that is wrong; the fastest come first, and the tests of the executable run
 * beside those of the source.
 * The last line is `N passed, N failed`, summed over all test runs.
 */
type Step = {
  name: string
  command: string[]
  env?: Record<string, string>
  /** A run of tests: one that ends without a summary has failed, whatever its exit code says. */
  hasTests?: true
  /** Runs with the step before it, and shows what it said when that has ended. */
  isBeside?: true
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
  { name: 'build', command: ['bun', 'run', 'build'] },
  { name: 'tests', command: ['bun', 'run', 'test'], hasTests: true },
  {
    // Mostly other processes than the tests' own: side by side they take the time of the longer.
    isBeside: true,
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

/** `show` gets what it says, as it comes. */
async function run(step: Step, show: (piece: string | Uint8Array) => void): Promise<Result> {
  show(`\n--- ${step.name}: ${step.command.join(' ')}\n`)
  const startedAt = performance.now()
  const child = Bun.spawn(step.command, {
    cwd: ROOT,
    env: { ...process.env, ...step.env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [, told] = await Promise.all([passOn(child.stdout, show), passOn(child.stderr, show)])
  const code = await child.exited
  // Bun's summary is on standard error: " 12 pass", " 0 fail", and " 1 error" for what broke between tests.
  const passed = countOf(told, 'pass')
  const failed = (countOf(told, 'fail') ?? 0) + (countOf(told, 'error') ?? 0)
  const isCounted = !step.hasTests || (passed !== null && passed + failed > 0)
  if (code === 0 && !isCounted) show('no test was run\n')
  return {
    step,
    ok: code === 0 && isCounted && failed === 0,
    ms: performance.now() - startedAt,
    passed: passed ?? 0,
    failed,
  }
}

/** Shows it as it comes, and answers all of it. */
async function passOn(
  from: ReadableStream<Uint8Array>,
  show: (piece: Uint8Array) => void,
): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const piece of from) {
    show(piece)
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

const startedAt = performance.now()
const results: Result[] = []
const stepsToRun = STEPS.filter(step => !step.isBeside)
for (const step of stepsToRun) {
  const beside = STEPS[STEPS.indexOf(step) + 1]
  const isPair = beside?.isBeside === true && beside.when?.() !== false
  const kept: (string | Uint8Array)[] = []
  const both = [run(step, piece => process.stdout.write(piece))]
  if (isPair) both.push(run(beside, piece => kept.push(piece)))
  results.push(...(await Promise.all(both)))
  for (const piece of kept) process.stdout.write(piece)
}

console.log('')
for (const { step, ok, ms } of results) {
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${(ms / 1000).toFixed(1).padStart(6)} s  ${step.name}`)
}
const totalMs = performance.now() - startedAt
const isSlow = totalMs > BUDGET_MS ? ', over the budget of 5 minutes' : ''
console.log(`       ${(totalMs / 1000).toFixed(1).padStart(6)} s  in all${isSlow}\n`)

const sum = (pick: (result: Result) => number) =>
  results.filter(({ step }) => step.hasTests).reduce((total, result) => total + pick(result), 0)
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1
console.log(`${sum(result => result.passed)} passed, ${sum(result => result.failed)} failed`)

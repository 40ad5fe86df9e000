/**
 * Every figure in one run: `bun bench/run.ts` (some ten minutes) or `bun bench/run.ts --short`. Exits 1 when
 * a figure misses its mark. Builds nothing: `bun run build` first, for the cold start.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { benchBigTable } from './big-table'
import { benchColdStart } from './cold-start'
import { benchDrain } from './drain'
import { benchGenerate } from './generate'
import { benchGetJob } from './get-job'
import { benchLatency } from './latency'
import { benchLedger } from './ledger'
import { benchLimits } from './limits'
import { benchOverhead } from './overhead'

const isShort = process.argv.includes('--short')
const rounds = isShort ? 3 : 7
const durationMs = isShort ? 700 : 1_500
const executable = join(import.meta.dir, '../dist/hub')
if (!existsSync(executable)) throw new Error('build the executable first: bun run build')

const misses: string[] = []
const mark = (what: string, value: number, isReached: boolean, wanted: string) => {
  const line = `${what}: ${value.toFixed(2)}, wanted ${wanted}`
  if (!isReached) misses.push(line)
  console.log(`${isReached ? 'reached' : 'MISSED '}  ${line}\n`)
}

const ratios = await benchGenerate(rounds, durationMs)
for (const runner of ['paused', 'on']) {
  const ratio = ratios[`generate, runner ${runner}, 64 conn`] ?? 0
  mark(`generate against the limit, runner ${runner}`, ratio, ratio >= 0.6, 'at least 0.6')
}
const read = await benchGetJob(rounds, durationMs)
mark('get a job against the limit', read, read >= 0.5, 'at least 0.5')
const limits = await benchLimits(rounds, durationMs)
const limited = limits['limited, runner paused, 64 conn'] ?? 0
mark('generate with buckets, a plan and caps', limited, limited >= 0.7, 'at least 0.7')
const latency = await benchLatency(isShort ? 50 : 300)
mark('POST to succeeded, ms', latency, latency < 10, 'under 10')
const [alone] = await benchOverhead(isShort ? 60 : 300)
const added = alone ? alone.hub.median - alone.direct.median : Number.NaN
mark('added to a synchronous vendor, one caller, ms', added, added < 20, 'under 20')
const drain = await benchDrain(isShort ? 3_000 : 20_000)
mark('drained jobs a second', drain.perSecond, drain.perSecond >= 1_000, 'at least 1000')
const resident = Math.max(...drain.residentMb)
mark('resident MB', resident, resident < 200, 'under 200')
const cold = await benchColdStart(executable, isShort ? 3 : 7)
mark('cold start, ms', cold, cold < 300, 'under 300')
const big = await benchBigTable(isShort ? 100_000 : 1_000_000, rounds, durationMs)
mark('generate beside a million jobs', big, big >= 0.85, 'at least 0.85')
const ledger = await benchLedger(isShort ? 100_000 : 1_000_000)
mark('ledger verify, ms', ledger.ms, ledger.ms < 5_000, 'under 5000')

if (misses.length > 0) {
  console.log(`${misses.length} missed:\n${misses.join('\n')}`)
  process.exit(1)
}
console.log('all reached')

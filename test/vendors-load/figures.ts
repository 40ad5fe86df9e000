import type { Figure } from '@test/long/figures'
import { isCalm, killVendor, type Outage, wholeMinute } from './dead-vendor'
import { isPrompt, type Wait, WHOLE, waitForSlowVendor, waitInLine } from './waiting'

const OUTAGES: Outage[] = ['overloaded', 'limited', 'refused']
const PLACES = 16

const rounded = (value: number) => Math.round(value * 10) / 10
const listed = (problems: string[]) => (problems.length === 0 ? '' : `; ${problems.slice(0, 5)}`)

/** The proofs of this folder at their full size: some ten minutes. */
export const LOAD_FIGURES: readonly Figure[] = [
  ...OUTAGES.map(
    (outage): Figure => ({
      name: `vendor: dead for a minute under 50 jobs a second, ${outage}`,
      async measure() {
        const report = await killVendor(wholeMinute(outage))
        const { calls, callsAfterTen, servedElsewhere, restLeftMs, backAfterMs, problems } = report
        const isGood = problems.length === 0 && isCalm(report)
        return {
          value: `${report.jobs} jobs, all served; ${calls} calls to it, ${callsAfterTen} after the first ten; ${servedElsewhere} served elsewhere; back ${backAfterMs - restLeftMs} ms after its rest of ${restLeftMs} ms more; p95 of others ${rounded(report.calmBefore)} before, ${rounded(report.calmMeanwhile)} ms meanwhile${listed(problems)}`,
          isGood,
        }
      },
    }),
  ),
  {
    name: `wait: ${WHOLE.jobs} jobs at a vendor that works for minutes`,
    async measure() {
      const wait = await waitForSlowVendor(WHOLE)
      const { perSecond, mostInAMinute, bucket } = wait.polls
      return {
        value: `${worded(wait)}; ${rounded(perSecond)} polls a second, ${mostInAMinute} in a minute, at most ${bucket.most} in 100 ms (mean ${rounded(bucket.mean)})${listed(wait.problems)}`,
        isGood: wait.problems.length === 0 && isPrompt(wait),
      }
    },
  },
  {
    name: `wait: ${WHOLE.jobs} jobs before a vendor that takes ${PLACES} at once`,
    async measure() {
      const wait = await waitInLine(WHOLE, PLACES)
      return {
        value: `${worded(wait)}; ${wait.atOnce} at once, the next ${rounded(wait.nextAfterMs)} ms after a place was free${listed(wait.problems)}`,
        isGood: wait.problems.length === 0 && isPrompt(wait),
      }
    },
  },
]

function worded({ residentMb, claim, cpu }: Wait): string {
  const { before, after } = residentMb
  const percent = (part: number) => `${rounded(part * 100)} %`
  return `${rounded(before)} MB, then ${rounded(after)}; a new job begins in p50 ${rounded(claim.p50)} p99 ${rounded(claim.p99)} ms of ${claim.count}; CPU ${percent(cpu.idle)} idle, ${percent(cpu.beside)} beside new jobs`
}

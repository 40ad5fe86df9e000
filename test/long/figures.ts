import { LEDGER_SIMULATION } from '@test/domain/ledger/figure'
import { buyAtOnce, openMarket, orderAndHangUp, orderOnce, shellAtWork } from '@test/e2e/contention'
import { crashAtRandom, deathTable, vendorVictim } from '@test/e2e/crash-random'
import { crashAtEveryStep, killTable, SCENARIOS } from '@test/e2e/crash-steps'
import { isUndisturbed, worded } from '@test/e2e/latency'
import { holdTheLock, type LockReport } from '@test/e2e/locks'
import { workInTheShell } from '@test/e2e/shell-beside'
import { stopAmidWork } from '@test/e2e/shutdown'
import { startVendor } from '@test/e2e/vendor'
import { FAULT_MATRIX } from '@test/matrix/figure'
import { measureKillMatrix } from '@test/matrix-kill/matrix'
import { STEPS } from '@test/support/crash-points'
import { startHub } from '@test/support/process'
import { LOAD_FIGURES } from '@test/vendors-load/figures'

/** One line of the table. */
export type Finding = { value: string; isGood: boolean }
/** A proof at its full size. `details` is what a person wants to see beside the line. */
export type Figure = {
  name: string
  measure(details: (text: string) => void): Promise<Finding>
}

const KILLS_A_STEP = 5
const KILLS_BESIDE = 2
const BESIDE = 3
const ROUNDS = 20
const MARKETS = 10

const problemsOf = (problems: string[]) =>
  problems.length === 0 ? '' : `; ${problems.slice(0, 5)}`

export const FIGURES: readonly Figure[] = [
  LEDGER_SIMULATION,
  FAULT_MATRIX,
  { name: 'crash: kill -9 at each vendor, at each moment of a start', measure: measureKillMatrix },
  {
    name: `crash: each step of each kind of job, ${KILLS_A_STEP} kills alone and ${KILLS_BESIDE} beside ${BESIDE} more`,
    async measure(details) {
      const kills = new Map<string, number>()
      const problems: string[] = []
      for (const options of [{ kills: KILLS_A_STEP }, { kills: KILLS_BESIDE, beside: BESIDE }]) {
        for (const scenario of SCENARIOS) {
          const report = await crashAtEveryStep(scenario, options)
          for (const [place, count] of report.kills)
            kills.set(place, (kills.get(place) ?? 0) + count)
          problems.push(...report.problems)
        }
      }
      details(killTable(kills))
      const places = STEPS.length * SCENARIOS.length
      const full = [...kills.values()].filter(count => count === KILLS_A_STEP + KILLS_BESIDE)
      return {
        value: `${full.length} of ${places} places, ${full.length * (KILLS_A_STEP + KILLS_BESIDE)} kills, ${problems.length} problems${problemsOf(problems)}`,
        isGood: full.length === places && problems.length === 0,
      }
    },
  },
  {
    name: `crash: ${ROUNDS} random moments, the sandbox`,
    async measure(details) {
      const report = await crashAtRandom({ rounds: ROUNDS, clients: 4, seed: 1 })
      details(deathTable(report))
      return randomFinding(report)
    },
  },
  {
    name: `crash: ${ROUNDS} random moments, a vendor whose starts must not be repeated`,
    async measure(details) {
      await using vendor = startVendor()
      const victim = vendorVictim(vendor)
      const report = await crashAtRandom({ rounds: ROUNDS, clients: 4, seed: 2, victim })
      details(deathTable(report))
      return randomFinding(report)
    },
  },
  {
    name: `contention: ${MARKETS} times 200 orders for 50 tokens, beside the shell`,
    async measure() {
      const problems: string[] = []
      let orders = 0
      for (let i = 0; i < MARKETS; i++) {
        await using market = await openMarket(50)
        let isOver = false
        const shell = shellAtWork(market, () => isOver)
        const bought = await buyAtOnce(market.api, 200)
        isOver = true
        const { granted, problems: trouble } = await shell
        const rest = await buyAtOnce(market.api, granted + 60)
        orders += 200 + granted + 60
        const taken = bought.accepted + rest.accepted
        if (taken !== 50 + granted) problems.push(`${taken} taken of ${50 + granted}`)
        problems.push(...bought.others, ...rest.others, ...trouble)
        problems.push(...(await market.problems({ holds: 50 + granted, granted })))
      }
      return {
        value: `${orders} orders, ${problems.length} problems${problemsOf(problems)}`,
        isGood: problems.length === 0,
      }
    },
  },
  {
    name: `contention: ${MARKETS} times 100 calls of one key, and 1,000 callers who hang up`,
    async measure() {
      await using market = await openMarket(100_000)
      const problems: string[] = []
      for (let i = 0; i < MARKETS; i++) {
        const { statuses, ids, firsts } = await orderOnce(market.api, 100, `key ${i}`)
        if (`${statuses}` !== '202' || ids.length !== 1 || firsts !== 1) {
          problems.push(`key ${i}: ${statuses}, ${ids.length} jobs, ${firsts} first answers`)
        }
      }
      let taken = 0
      for (let seed = 0; seed < MARKETS; seed++) {
        const dropped = await orderAndHangUp(market, 100, seed)
        taken += dropped.taken
        problems.push(...dropped.others)
      }
      problems.push(...(await market.problems({ holds: MARKETS * 101, granted: 0 })))
      return {
        value: `${taken} of 1000 were taken before the socket went, ${problems.length} problems${problemsOf(problems)}`,
        isGood: problems.length === 0 && taken > 0 && taken < MARKETS * 100,
      }
    },
  },
  {
    name: 'lock: another process writes for 2 s',
    async measure() {
      return lockFinding(await holdTheLock(2_000), answers => `${Object.keys(answers)}` === '202')
    },
  },
  {
    name: 'lock: another process writes for longer than a caller should wait (7 s)',
    async measure() {
      const isExpected = (answers: Record<string, number>) =>
        (answers['503 busy'] ?? 0) > 0 && (answers['202'] ?? 0) > 0
      return lockFinding(await holdTheLock(7_000), isExpected)
    },
  },
  {
    name: 'shell: 100 revocations and 25 grants beside a server',
    async measure() {
      const report = await workInTheShell({ revocations: 100, grants: 25 })
      const { revoked, commands, control, beside, problems } = report
      return {
        value: `${revoked} revoked at once; health beside ${commands} commands ${worded(beside)} (control: ${worded(control)})${problemsOf(problems)}`,
        isGood: revoked === 100 && problems.length === 0 && isUndisturbed(beside, control),
      }
    },
  },
  {
    name: 'SIGTERM amid a job of a minute and a caller who never finishes, the whole grace',
    async measure() {
      const startedAt = performance.now()
      const problems = await stopAmidWork(folder => startHub({ folder }))
      const seconds = Math.round((performance.now() - startedAt) / 100) / 10
      return {
        value: `stopped, started and cancelled within ${seconds} s${problemsOf(problems)}`,
        isGood: problems.length === 0,
      }
    },
  },
  ...LOAD_FIGURES,
]

function lockFinding(
  { health, job, control, answers, problems }: LockReport,
  isExpected: (answers: Record<string, number>) => boolean,
): Finding {
  const isFree = isUndisturbed(health, control) && isUndisturbed(job, control)
  return {
    value: `health ${worded(health)}, job ${worded(job)}, a process that does nothing ${worded(control)}; answers ${JSON.stringify(answers)}${problemsOf(problems)}`,
    isGood: isFree && problems.length === 0 && isExpected(answers),
  }
}

function randomFinding(report: Awaited<ReturnType<typeof crashAtRandom>>): Finding {
  const { deaths, jobs, repeated, problems } = report
  const count = Object.values(jobs).reduce((sum, each) => sum + each, 0)
  const idle = deaths.filter(({ met }) => Object.keys(met).length === 0)
  return {
    value: `${deaths.length} kills, ${count} jobs, ${repeated} calls sent again, ${problems.length} problems${problemsOf(problems)}`,
    isGood: problems.length === 0 && deaths.length === ROUNDS && idle.length === 0,
  }
}

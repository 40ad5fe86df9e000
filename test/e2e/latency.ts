import { type RunningHub, startHub } from '@test/support/process'

/** Milliseconds that each of many calls took, one after the other. */
export type Latencies = { calls: number; p50: number; p99: number; worst: number }

/** So that the one who measures is not the load that he measures. */
const PAUSE_MS = 2

/** Asks again and again until `isOver`. */
export async function latenciesOf(
  ask: () => Promise<unknown>,
  isOver: () => boolean,
): Promise<Latencies> {
  const took: number[] = []
  while (!isOver()) {
    const startedAt = performance.now()
    await ask()
    took.push(performance.now() - startedAt)
    await Bun.sleep(PAUSE_MS)
  }
  took.sort((a, b) => a - b)
  const at = (share: number) => round(took[Math.ceil(took.length * share) - 1] ?? Number.NaN)
  return { calls: took.length, p50: at(0.5), p99: at(0.99), worst: at(1) }
}

const round = (ms: number) => Math.round(ms * 100) / 100

/**
 * A process that does nothing but answer. Asked in the same moments as the hub, it shows what the machine
 * and the one who asks add to every answer.
 */
export async function startBareServer(): Promise<RunningHub> {
  const program = `const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('{}') })
    process.stderr.write('Health ' + server.url.origin + '/api/health')`
  return await startHub({ command: [process.execPath, '-e', program] })
}

/** A turn of the loop that blocks is felt as tens of milliseconds by whoever reads. */
const FELT_MS = 10
/** How much slower than a process that does nothing still counts as undisturbed, on a busy machine. */
const TOLERATED = 3

/**
 * Was the hub as free as if nothing was going on? Below 10 ms it was, whatever else; on a machine that is
 * busy with other things even the bare server is above that, and then only the difference says anything.
 */
export function isUndisturbed(measured: Latencies, control: Latencies): boolean {
  return measured.p99 < Math.max(FELT_MS, control.p99 * TOLERATED)
}

/** One line for a person. */
export function worded({ calls, p50, p99, worst }: Latencies): string {
  return `p50 ${p50} p99 ${p99} worst ${worst} ms of ${calls}`
}

const ROUNDS = 3

/**
 * Measures until one round is undisturbed, three times at most, and answers whether one was. A loop that a
 * lock or a shell command blocks is blocked in every round; another program on the machine is not.
 */
export async function isOnceUndisturbed(round: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < ROUNDS; tries++) if (await round()) return true
  return false
}

/**
 * Accepting jobs, against the honest limit. `bun bench/generate.ts [--rounds 7] [--ms 1500]`. Both servers
 * are up at once and measured in turn; a ratio is the median of paired rounds.
 */
import { httpRequest, load } from './load'
import {
  type BenchFolder,
  type BenchServer,
  benchFolder,
  cpuMs,
  median,
  removeFolder,
  startBenchServer,
} from './servers'

export const CONNECTIONS = [1, 16, 64]

const BODY = JSON.stringify({
  model: 'flux-schnell',
  input: {
    prompt: 'A futuristic city at sunset',
    aspect_ratio: '16:9',
    num_outputs: 1,
    provider_params: { sandbox: { canned: true } },
  },
  metadata: {},
})

export function generateRequest(folder: BenchFolder) {
  const requests = folder.users.map(user =>
    httpRequest(
      'POST',
      '/api/v1/generate',
      { 'x-api-key': folder.key, 'x-user-id': user, 'content-type': 'application/json' },
      BODY,
    ),
  )
  return (connection: number, sequence: number) =>
    requests[(connection * 7 + sequence) % requests.length] ?? ''
}

export type Pair = { ratio: number; product: Side; limit: Side }
type Side = { perSecond: number; cpuMs: number; p50: number; p99: number }

export async function measure(
  server: BenchServer,
  request: ReturnType<typeof generateRequest>,
  options: { connections: number; durationMs: number; expect: number },
): Promise<Side> {
  const before = cpuMs(server.pid)
  const result = await load({ port: server.port, request, ...options })
  return {
    perSecond: result.perSecond,
    cpuMs: (cpuMs(server.pid) - before) / result.requests,
    p50: result.p50,
    p99: result.p99,
  }
}

export async function paired(
  rounds: number,
  product: () => Promise<Side>,
  limit: () => Promise<Side>,
): Promise<Pair[]> {
  const pairs: Pair[] = []
  for (let round = 0; round < rounds; round++) {
    const isProductFirst = round % 2 === 0
    const first = isProductFirst ? await product() : await limit()
    const second = isProductFirst ? await limit() : await product()
    const [a, b] = isProductFirst ? [first, second] : [second, first]
    pairs.push({ ratio: a.perSecond / b.perSecond, product: a, limit: b })
  }
  return pairs
}

export function report(label: string, pairs: Pair[]): number {
  const ratio = median(pairs.map(pair => pair.ratio))
  const side = (pick: (pair: Pair) => Side) => {
    const sides = pairs.map(pick)
    const perSecond = median(sides.map(one => one.perSecond)).toFixed(0)
    const cpu = median(sides.map(one => one.cpuMs)).toFixed(3)
    const p50 = median(sides.map(one => one.p50)).toFixed(2)
    const p99 = median(sides.map(one => one.p99)).toFixed(1)
    return `${perSecond.padStart(6)}/s  ${cpu} CPU ms  p50 ${p50}  p99 ${p99}`
  }
  console.log(
    `${label.padEnd(28)} ratio ${ratio.toFixed(2)}   (rounds ${pairs.map(pair => pair.ratio.toFixed(2)).join(' ')})`,
  )
  console.log(`  product ${side(pair => pair.product)}`)
  console.log(`  limit   ${side(pair => pair.limit)}`)
  return ratio
}

export async function benchGenerate(
  rounds: number,
  durationMs: number,
): Promise<Record<string, number>> {
  const ratios: Record<string, number> = {}
  for (const runner of ['paused', 'on'] as const) {
    const folders = [await benchFolder(), await benchFolder()] as const
    const product = await startBenchServer('product.ts', folders[0], { RUNNER: runner })
    const limit = await startBenchServer('limit.ts', folders[1])
    const options = { durationMs, expect: 202 }
    try {
      for (const connections of CONNECTIONS) {
        const requests = [generateRequest(folders[0]), generateRequest(folders[1])] as const
        const pairs = await paired(
          rounds,
          () => measure(product, requests[0], { ...options, connections }),
          () => measure(limit, requests[1], { ...options, connections }),
        )
        const label = `generate, runner ${runner}, ${connections} conn`
        ratios[label] = report(label, pairs)
      }
    } finally {
      await product.stop()
      await limit.stop()
      for (const folder of folders) removeFolder(folder)
    }
  }
  return ratios
}

if (import.meta.main) {
  const option = (name: string, fallback: number) => {
    const at = process.argv.indexOf(`--${name}`)
    return at === -1 ? fallback : Number(process.argv[at + 1])
  }
  await benchGenerate(option('rounds', 7), option('ms', 1_500))
}

import { readConfig } from '@/base/config'
import { createLog } from '@/base/log'
import { ProviderError } from '@/providers/errors'
import type { Output, Provider, ProviderContext, StartResult } from '@/providers/spec'
import { startServer } from '@/serve'
import { dieAt, type HubStep } from './crash-points'
import { addRoute } from './test-hub'

/**
 * Run as a process of its own: the real server with one vendor more, which lives in the process of the
 * test and so survives us. It is told by a message where to die.
 */
export type CrashServerOptions = {
  vendorOrigin: string
  /** Whether the vendor can be asked what became of a start whose answer was lost. */
  canFind: boolean
  /** How much later than now it is, in milliseconds. */
  laterMs: number
  models: string[]
  /** How long what runs may take to end after SIGTERM. */
  graceMs?: number
}
export type CrashServerMessage = { dieAt: HubStep }

const options = JSON.parse(process.env.CRASH_SERVER ?? '{}') as CrashServerOptions
const wallNow = Date.now
Date.now = () => wallNow() + options.laterMs
const config = readConfig()
const log = createLog({
  level: config.logLevel,
  write: text => void process.stdout.write(text),
  wall: Date.now,
})
const serving = await startServer({
  config,
  log,
  ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
  onFatal: error => {
    throw error
  },
  hub: {
    lockWaitMs: 0,
    providers: [vendor(options)],
  },
})
for (const model of options.models) {
  const known = serving.deps.db.sqlite
    .query(
      `SELECT 1 FROM model_routes WHERE model_id = (SELECT id FROM models WHERE name = ?)
         AND provider_id = (SELECT id FROM providers WHERE name = 'vendor')`,
    )
    .get(model)
  if (!known) await addRoute(serving.deps, { model, provider: 'vendor' })
}
process.on('message', (message: CrashServerMessage) => {
  dieAt(serving.deps.db, message.dieAt)
  process.send?.({ armed: message.dieAt })
})
// A test that was cut off leaves no server behind.
process.once('disconnect', () => process.exit(1))
process.once('SIGTERM', async () => {
  await serving.stop()
  process.exit(0)
})
process.stderr.write(`Health ${serving.url}/api/health\n`)

/** An adapter of an imagined vendor. `provider_params.vendor.shape` says how it answers: sync or async. */
function vendor({ vendorOrigin, canFind }: CrashServerOptions): Provider {
  const ask = async (ctx: ProviderContext, path: string, body?: unknown) => {
    const response = await ctx.fetch(`${vendorOrigin}${path}`, {
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    })
    if (response.status === 404) {
      await response.body?.cancel()
      return null
    }
    return (await response.json()) as VendorAnswer
  }
  const resultOf = (answer: VendorAnswer | null): StartResult => {
    if (!answer) throw new ProviderError('unknown_outcome', 'the vendor knows nothing of it')
    if (!answer.outputs) {
      return { state: 'pending', operation: { id: answer.id }, pollAfterMs: POLL_AFTER_MS }
    }
    const outputs = answer.outputs.map((url): Output => ({ type: 'file', url, contentType: null }))
    return { state: 'done', outputs, usage: { costMicroUsd: 1_000 } }
  }
  return {
    name: 'vendor',
    isKeyless: true,
    async start({ prompt, numOutputs, params }, ctx) {
      const { reference } = ctx
      const order: VendorOrder = { reference, prompt: prompt ?? '', numOutputs, ...params }
      return resultOf(await ask(ctx, '/start', order))
    },
    async poll(operation, ctx) {
      return resultOf(await ask(ctx, `/operations/${operation.id}`))
    },
    ...(canFind
      ? {
          find: async (reference: string, ctx: ProviderContext) => {
            const answer = await ask(ctx, `/find/${reference}`)
            return answer && resultOf(answer)
          },
        }
      : {}),
  }
}

export type VendorOrder = {
  reference: string
  prompt: string
  numOutputs: number
  shape?: 'sync' | 'async'
}
export type VendorAnswer = { id: string; outputs?: string[] }

const POLL_AFTER_MS = 20

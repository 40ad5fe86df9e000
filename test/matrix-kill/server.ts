import { dieAt, type HubStep } from '@test/support/crash-points'
import { readConfig } from '@/base/config'
import { createLog } from '@/base/log'
import type { Provider, StartResult } from '@/providers/spec'
import { KEY_VARIABLES } from '@/providers/vendors'
import { startServer } from '@/serve'
import { adapterOf } from './offers'

/**
 * Run as a process of its own: the real server, with a true adapter whose vendor lives in the process of
 * the test and so survives us. It is told by a message where to die.
 */
export type KillServerOptions = {
  provider: string
  baseUrl: string
  filesUrl: string
  /** How much later than now it is, in milliseconds. */
  laterMs: number
}
export type KillServerMessage = { dieAt: HubStep }

const options = JSON.parse(process.env.KILL_SERVER ?? '{}') as KillServerOptions
const wallNow = Date.now
Date.now = () => wallNow() + options.laterMs
const config = readConfig(undefined, KEY_VARIABLES)
const log = createLog({
  level: config.logLevel,
  write: text => void process.stdout.write(text),
  wall: Date.now,
})
const serving = await startServer({
  config,
  log,
  onFatal: error => {
    throw error
  },
  hub: { lockWaitMs: 0, providers: [nearby(adapterOf(options.provider, options.baseUrl))] },
})
process.on('message', (message: KillServerMessage) => {
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

/**
 * All that the adapter says, but for two things. The answers name the true places where vendors keep files,
 * and those are not on this machine. And vendors want to be asked every few seconds, which proves nothing here.
 */
function nearby(adapter: Provider): Provider {
  const moved = (result: StartResult): StartResult => {
    if (result.state === 'pending') return { ...result, pollAfterMs: POLL_AFTER_MS }
    const outputs = result.outputs.map(output =>
      'url' in output
        ? { ...output, url: `${options.filesUrl}${encodeURIComponent(output.url)}` }
        : output,
    )
    return { ...result, outputs }
  }
  const { poll, find } = adapter
  return {
    ...adapter,
    start: async (input, ctx) => moved(await adapter.start(input, ctx)),
    ...(poll ? { poll: async (operation, ctx) => moved(await poll(operation, ctx)) } : {}),
    ...(find
      ? {
          async find(reference, ctx, input) {
            const found = await find(reference, ctx, input)
            return found && moved(found)
          },
        }
      : {}),
  }
}

const POLL_AFTER_MS = 20

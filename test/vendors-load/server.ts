import { readConfig } from '@/base/config'
import { createLog } from '@/base/log'
import { createGemini } from '@/providers/gemini/gemini'
import { createOpenai } from '@/providers/openai/openai'
import { createReplicate } from '@/providers/replicate/replicate'
import { KEY_VARIABLES } from '@/providers/vendors'
import { startServer } from '@/serve'

/**
 * Run as a process of its own: the real server with true adapters, told other addresses of their vendors
 * and nothing else. Its clock is set forward by a message.
 */
export type LoadServerOptions = { baseUrls: { openai: string; replicate: string; gemini: string } }
export type LoadServerMessage = { laterMs: number }

const { baseUrls } = JSON.parse(process.env.LOAD_SERVER ?? '{}') as LoadServerOptions
const wallNow = Date.now
let laterMs = 0
Date.now = () => wallNow() + laterMs
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
  hub: {
    lockWaitMs: 0,
    providers: [
      createOpenai({ baseUrl: baseUrls.openai }),
      createReplicate({ baseUrl: baseUrls.replicate }),
      createGemini({ baseUrl: baseUrls.gemini }),
    ],
  },
})
process.on('message', (message: LoadServerMessage) => {
  laterMs = message.laterMs
  process.send?.(message)
})
// A test that was cut off leaves no server behind.
process.once('disconnect', () => process.exit(1))
process.once('SIGTERM', async () => {
  await serving.stop()
  process.exit(0)
})
process.stderr.write(`Health ${serving.url}/api/health\n`)

import { systemClock } from '@/base/clock'
import { readConfig } from '@/base/config'
import { createLog } from '@/base/log'
import { findCommand } from '@/cli'
import { openHub } from '@/hub'
import { createReplicate } from '@/providers/replicate/replicate'
import { KEY_VARIABLES } from '@/providers/vendors'
import { startServer } from '@/serve'

/**
 * Run as a process of its own: the commands of the shell, and the server, with one vendor at another address.
 * The address is in VENDOR_URL.
 */
const [name, ...args] = process.argv.slice(2)
const found = findCommand(name === undefined ? [] : [name, ...args])
if (!found) throw new Error(`there is no command ${name}`)
const config = readConfig(undefined, KEY_VARIABLES)
const providers = [createReplicate({ baseUrl: process.env.VENDOR_URL ?? '' })]
const log = createLog({
  level: config.logLevel,
  write: text => void process.stdout.write(text),
  wall: systemClock().wall,
})
const onFatal = (error: unknown) => {
  throw error
}
const stopped = Promise.withResolvers<void>()
process.once('SIGTERM', () => stopped.resolve())

process.exitCode = await found.command.run({
  args: found.args,
  config,
  log,
  version: '0.0.0',
  out: text => void process.stdout.write(`${text}\n`),
  say: text => void process.stderr.write(`${text}\n`),
  openHub: () => openHub({ config, log, exclusive: null, onFatal, providers }),
  startServer: () => startServer({ config, log, onFatal, hub: { providers, lockWaitMs: 0 } }),
  async untilStopped() {
    await stopped.promise
    log.flush()
  },
  openapi: () => null,
})
log.flush()

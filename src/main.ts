import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from './base/clock'
import { type Config, ConfigError, readConfig } from './base/config'
import { AppError, type InputProblem } from './base/errors'
import { createLog } from './base/log'
import { type Context, findCommand, help, UsageError } from './cli'
import { openapiDocument } from './http/openapi'
import { OPERATIONS } from './http/operations'
import { openHub } from './hub'
import { startServer } from './serve'
import { VERSION } from './version'

// The process: which command, its wiring, its signals and its exit code. The only file with effects on import.
process.exitCode = await main(process.argv.slice(2))

async function main(argv: string[]): Promise<number> {
  const found = findCommand(argv)
  if (argv[0] === '--version') return say(VERSION)
  if (!found && ['--help', '-h', 'help'].includes(argv[0] ?? '')) return say(help(VERSION))
  if (!found) {
    warn(`there is no command ${argv[0]}\n\n${help(VERSION)}`)
    return 2
  }
  const { command, args } = found
  if (args.includes('--help')) return say(`${command.summary}\n\n${command.usage}`)
  try {
    const config = readConfig()
    return await command.run(contextFor(config, args))
  } catch (error) {
    if (error instanceof UsageError) {
      warn(`${error.message}\n\n${command.usage}`)
      return 2
    }
    warn(sentenceOf(error))
    return error instanceof ConfigError ? 2 : 1
  }
}

function contextFor(config: Config, args: string[]): Context {
  const { wall } = systemClock()
  const log = createLog({
    level: config.logLevel,
    write: text => void process.stdout.write(text),
    wall,
  })
  // A shell command's own words are its output; the server's are its log.
  const shellLog = createLog({
    level: 'warn',
    write: text => void process.stderr.write(text),
    wall,
  })
  const onFatal = () => {
    log.flush()
    process.exit(1)
  }
  const stopped = Promise.withResolvers<void>()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => stopped.resolve())
  }
  return {
    args,
    config,
    log,
    version: VERSION,
    out: text => void process.stdout.write(`${text}\n`),
    say: text => void process.stderr.write(`${text}\n`),
    openHub: ({ exclusive } = {}) => {
      const isNew = !existsSync(join(config.dataDir, 'hub.db'))
      return openHub({
        config,
        log: shellLog,
        exclusive: exclusive ?? (isNew ? (args[0] ?? 'command') : null),
        onFatal,
        ...(exclusive ? {} : { lockWaitMs: 0 }),
      })
    },
    // The demo speaks to a person: its server's log would stand between the lines.
    startServer: options =>
      startServer({
        config,
        log: options?.command === 'demo' ? shellLog : log,
        onFatal,
        ...options,
      }),
    untilStopped: async () => {
      await stopped.promise
      log.flush()
    },
    openapi: () =>
      openapiDocument(OPERATIONS, {
        version: VERSION,
        ...(config.publicUrl ? { serverUrl: config.publicUrl } : {}),
      }),
  }
}

/** One line that says what is wrong; what only we can mend keeps its stack. */
function sentenceOf(error: unknown): string {
  if (error instanceof AppError) {
    const problems = (error.detail.details as InputProblem[] | undefined) ?? []
    const lines = problems.map(({ path, message }) => `--${path.replaceAll('_', '-')} ${message}`)
    return lines.length > 0 ? lines.join('\n') : (error.internal ?? error.message)
  }
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return 'this port is in use; stop what uses it, or set PORT'
  }
  return error instanceof Error ? error.message : String(error)
}

function say(text: string): number {
  process.stdout.write(`${text}\n`)
  return 0
}

function warn(text: string) {
  process.stderr.write(`${text}\n`)
}

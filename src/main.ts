import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from './base/clock'
import { type Config, ConfigError, readConfig } from './base/config'
import { AppError, type InputProblem } from './base/errors'
import { createLog } from './base/log'
import { type Context, findCommand, help, keyNotice, UsageError } from './cli'
import { openapiDocument } from './http/openapi'
import { OPERATIONS } from './http/operations'
import { NoDatabase, openHub } from './hub'
import { KEY_VARIABLES } from './providers/vendors'
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
    const config = readConfig(undefined, KEY_VARIABLES)
    try {
      return await command.run(contextFor(config, args))
    } catch (error) {
      throw folderProblem(config, error) ?? error
    }
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
  let isServing = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      // Whoever waits for another server's folder, or runs a short command, has nothing to bring to an end.
      if (isServing) stopped.resolve()
      else process.exit(1)
    })
  }
  return {
    args,
    config,
    log,
    version: VERSION,
    out: text => void process.stdout.write(`${text}\n`),
    say: text => void process.stderr.write(`${text}\n`),
    openHub: async ({ exclusive, mayCreate } = {}) => {
      const isNew = !existsSync(join(config.dataDir, 'hub.db'))
      // A mistyped DATA_DIR must not look like an empty hub.
      if (isNew && !mayCreate && !exclusive) throw new NoDatabase(config.dataDir)
      const hub = await openHub({
        config,
        log: shellLog,
        exclusive: exclusive ?? (isNew ? (args[0] ?? 'command') : null),
        onFatal,
        ...(exclusive ? {} : { lockWaitMs: 0 }),
      })
      if (hub.isNewKey) warn(keyNotice(config.dataDir).join('\n'))
      return hub
    },
    startServer: async options => {
      const serving = await startServer({
        config,
        // The demo speaks to a person: its server's log would stand between the lines.
        log: options?.command === 'demo' ? shellLog : log,
        onFatal,
        ...options,
      })
      isServing = true
      return serving
    },
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

/** What the system says of a folder that cannot be used names neither the folder nor the variable. */
function folderProblem({ dataDir }: Config, error: unknown): Error | null {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')) {
    return new Error(`${join(dataDir, 'hub.db')} is damaged; put back your last copy`)
  }
  if (!/^(EACCES|EEXIST|ENOENT|ENOTDIR|EPERM|EROFS|SQLITE_(CANTOPEN|READONLY).*)$/.test(code)) {
    return null
  }
  return new Error(`DATA_DIR (${dataDir}) is no folder that this user can write to`)
}

/** One line that says what is wrong; what only we can mend keeps its stack. */
function sentenceOf(error: unknown): string {
  if (error instanceof AppError) {
    const problems = (error.detail.details as InputProblem[] | undefined) ?? []
    const lines = problems.map(({ path, message }) => `--${path.replaceAll('_', '-')} ${message}`)
    return lines.length > 0 ? lines.join('\n') : (error.internal ?? error.message)
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

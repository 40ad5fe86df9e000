import { appsCommand } from './apps'
import { budgetsCommand } from './budgets'
import type { Command } from './command'
import { demoCommand } from './demo'
import { doctorCommand } from './doctor'
import { healthCommand } from './health'
import { keysCommand } from './keys'
import { ledgerCommand } from './ledger'
import { migrateCommand } from './migrate'
import { modelsCommand } from './models'
import { openapiCommand } from './openapi'
import { plansCommand } from './plans'
import { pricesCommand } from './prices'
import { providersCommand } from './providers'
import { routesCommand } from './routes'
import { serveCommand } from './serve'
import { tokensCommand } from './tokens'

export const COMMANDS: readonly Command[] = [
  serveCommand,
  demoCommand,
  appsCommand,
  keysCommand,
  tokensCommand,
  providersCommand,
  modelsCommand,
  routesCommand,
  pricesCommand,
  plansCommand,
  budgetsCommand,
  ledgerCommand,
  doctorCommand,
  healthCommand,
  migrateCommand,
  openapiCommand,
]

/** The command that a line names; none: serve. */
export function findCommand(args: string[]): { command: Command; args: string[] } | null {
  const [name, ...rest] = args
  if (name === undefined) return { command: serveCommand, args: [] }
  const command = COMMANDS.find(candidate => candidate.name === name)
  return command ? { command, args: rest } : null
}

export function help(version: string): string {
  const width = Math.max(...COMMANDS.map(command => command.name.length))
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`)
  return `AI Backend Hub ${version}\n\n${lines.join('\n')}\n\nhub <command> --help shows its options.`
}

export { type Context, UsageError } from './command'
export { keyNotice } from './serve'

import type { Config } from '@/base/config'
import type { Log } from '@/base/log'
import type { Actor } from '@/deps'
import type { Hub } from '@/hub'
import type { Serving } from '@/serve'

/** What a command gets of the process. It prints through this and exits by what it answers. */
export type Context = {
  /** What stands behind the command's name. */
  args: string[]
  config: Config
  log: Log
  /** For results. With --json, one JSON value and nothing else. */
  out(text: string): void
  /** For people: progress, warnings, hints. */
  say(text: string): void
  /**
   * Opens the data folder beside a running server, or alone when `exclusive` is named. Without a database
   * in it throws NoDatabase, unless `mayCreate` or `exclusive` is given: then it makes one.
   */
  openHub(options?: { exclusive?: string; mayCreate?: true }): Promise<Hub>
  startServer(options?: { config?: Config; command?: string }): Promise<Serving>
  /** Resolves when the process is told to stop. */
  untilStopped(): Promise<void>
  openapi(): unknown
  version: string
}

export type Command = {
  name: string
  usage: string
  summary: string
  /** Answers the exit code: 0, or 1 when it did its work and the news is bad. */
  run(context: Context): Promise<number>
}

/** Wrong use: printed with the command's usage, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export const SHELL: Actor = { kind: 'shell', id: 'shell' }

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from './test-db'

/**
 * Real processes of the product. HUB_COMMAND names the command under test (`dist/hub` for the compiled
 * executable); without it these are processes of this checkout.
 */
const ROOT = join(import.meta.dir, '../..')
const COMMAND = wordsOf(process.env.HUB_COMMAND ?? 'bun src/main.ts')

/** Only a liveness bound on a loaded machine: a server is up within half a second. */
const START_MS = 30_000
/** What the product promises from SIGTERM to its end. */
const STOP_MS = 20_000
const COMMAND_MS = 30_000

export type Environment = Record<string, string>
export type End = { code: number | null; signal: string | number | null }

/** A process that was started here, and dies with us at the latest. */
export type Running = AsyncDisposable & {
  pid: number
  stdout(): string
  stderr(): string
  ended: Promise<End>
  signal(name: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): void
  /** Resolves when standard error matches; rejects when the process ends or time runs out before. */
  says(pattern: RegExp): Promise<RegExpMatchArray>
}

export type RunningHub = Running & {
  /** Without a slash at the end. */
  url: string
  folder: string
  /** Tells it to stop; the exit code. Rejects when it takes longer than the product promises. */
  stop(): Promise<number | null>
  /** `kill -9`, and gone. */
  kill(): Promise<void>
}

export type StartOptions = {
  folder?: string
  env?: Environment
  args?: string[]
  /** Another program than the command under test: one that puts the hub together by itself. */
  command?: string[]
  /** What stands on its standard input; absent: nothing, and it is closed. */
  stdin?: string
  onMessage?: (message: unknown) => void
}

/** A server that listens, on a free port. */
export async function startHub(
  options: StartOptions = {},
): Promise<RunningHub & { send(m: unknown): void }> {
  const folder = options.folder ?? temporaryFolder()
  const running = launch({ ...options, folder })
  const [, url = ''] = await running.says(/Health +(http\S+)\/api\/health/)
  return {
    ...running,
    url,
    folder,
    async stop() {
      running.signal('SIGTERM')
      return (await within(STOP_MS, 'the end after SIGTERM', running.ended)).code
    },
    async kill() {
      running.signal('SIGKILL')
      await running.ended
    },
  }
}

/** Starts a process and waits for nothing. */
export function launch(
  options: StartOptions & { folder: string },
): Running & { send(message: unknown): void } {
  const child = Bun.spawn([...(options.command ?? COMMAND), ...(options.args ?? [])], {
    env: environment(options.folder, options.env),
    // Away from the checkout: a developer's own .env there is not part of the test.
    cwd: emptyFolder,
    stdin: options.stdin === undefined ? 'ignore' : Buffer.from(options.stdin),
    stdout: 'pipe',
    stderr: 'pipe',
    ...(options.onMessage
      ? { ipc: (message: unknown) => options.onMessage?.(message), serialization: 'json' as const }
      : {}),
  })
  children.add(child)
  const listeners = new Set<() => void>()
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr, () => {
    for (const listen of listeners) listen()
  })
  const ended = (async (): Promise<End> => {
    await child.exited
    await Promise.all([stdout.closed, stderr.closed])
    children.delete(child)
    return { code: child.exitCode, signal: child.signalCode }
  })()
  const running: Running & { send(message: unknown): void } = {
    pid: child.pid,
    stdout: stdout.text,
    stderr: stderr.text,
    ended,
    send: message => child.send(message),
    signal: name => void child.kill(name),
    async says(pattern) {
      const said = Promise.withResolvers<RegExpMatchArray>()
      const look = () => {
        const match = stderr.text().match(pattern)
        if (match) said.resolve(match)
      }
      listeners.add(look)
      look()
      void ended.then(end =>
        said.reject(
          new Error(
            `ended with ${JSON.stringify(end)} and never said ${pattern}\n${stderr.text()}${stdout.text()}`,
          ),
        ),
      )
      return await within(START_MS, `${pattern} on standard error`, said.promise)
    },
    async [Symbol.asyncDispose]() {
      if (children.has(child)) child.kill('SIGKILL')
      await ended
    },
  }
  return running
}

export type Ran = { code: number | null; stdout: string; stderr: string }

/** Runs a shell command of the product to its end. */
export async function runHub(
  args: string[],
  options: { folder: string; env?: Environment; stdin?: string; command?: string[] },
): Promise<Ran> {
  const running = launch({ ...options, args })
  try {
    const { code } = await within(COMMAND_MS, `the end of hub ${args.join(' ')}`, running.ended)
    return { code, stdout: running.stdout(), stderr: running.stderr() }
  } finally {
    await running[Symbol.asyncDispose]()
  }
}

/** Runs a shell command with `--json` that must succeed; its one value. */
export async function jsonOf<T>(
  args: string[],
  options: { folder: string; env?: Environment },
): Promise<T> {
  const ran = await runHub([...args, '--json'], options)
  if (ran.code !== 0)
    throw new Error(`hub ${args.join(' ')} ended with ${ran.code}: ${ran.stderr}${ran.stdout}`)
  return JSON.parse(ran.stdout) as T
}

/** A bound on how long we wait for something that will come: never a way to wait for it. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`${what}: not within ${ms} ms`)), ms)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** For what only the outside of a process shows: asks again until it is so. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  ms = START_MS,
): Promise<T> {
  const end = performance.now() + ms
  for (;;) {
    const found = await look()
    if (found !== null && found !== undefined && found !== false) return found
    if (performance.now() > end) throw new Error(`${what}: not within ${ms} ms`)
    await Bun.sleep(LOOK_AGAIN_MS)
  }
}

const LOOK_AGAIN_MS = 15

const emptyFolder = temporaryFolder()

const children = new Set<Bun.Subprocess>()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/** Nothing of the tester's own environment reaches the product but where programs and drafts are. */
function environment(folder: string, env: Environment = {}): Environment {
  const { PATH = '', TMPDIR, HOME } = process.env
  return {
    PATH,
    ...(TMPDIR ? { TMPDIR } : {}),
    ...(HOME ? { HOME } : {}),
    DATA_DIR: folder,
    PORT: '0',
    LOG_LEVEL: 'warn',
    ...env,
  }
}

function collect(stream: ReadableStream<Uint8Array>, onMore: () => void = () => {}) {
  let text = ''
  const decoder = new TextDecoder()
  const closed = (async () => {
    for await (const piece of stream) {
      text += decoder.decode(piece, { stream: true })
      onMore()
    }
  })()
  return { text: () => text, closed }
}

/** `bun` is the one that runs us, and paths are of the checkout. */
function wordsOf(command: string): string[] {
  if (existsSync(command)) return [command]
  return command.split(' ').map(word => {
    if (word === 'bun') return process.execPath
    const path = join(ROOT, word)
    return existsSync(path) ? path : word
  })
}

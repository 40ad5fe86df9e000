import { redact } from './secrets'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Record<string, unknown>

/** One JSON object a line. Fields named like secrets, and strings shaped like our keys, are masked. */
export type Log = {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A log whose every line carries `fields`. */
  with(fields: LogFields): Log
  flush(): void
}

const ORDER: Record<LogLevel, number> = { debug: 10, info: 20, warn: 30, error: 40 }
/** Lines wait at most this long or this many bytes: a write per line costs more than a request's own work. */
const FLUSH_MS = 50
const FLUSH_BYTES = 64 * 1024

export function createLog(options: {
  level: LogLevel
  write: (text: string) => void
  wall: () => number
}): Log {
  const least = ORDER[options.level]
  let waiting = ''
  let timer: Timer | null = null

  const flush = () => {
    if (timer) clearTimeout(timer)
    timer = null
    if (waiting === '') return
    const text = waiting
    waiting = ''
    options.write(text)
  }

  const line = (level: LogLevel, message: string, fields: LogFields) => {
    if (ORDER[level] < least) return
    const at = new Date(options.wall()).toISOString()
    waiting += `${lineOf({ at, level, message, ...fields })}\n`
    if (level === 'error' || waiting.length >= FLUSH_BYTES) flush()
    else timer ??= setTimeout(flush, FLUSH_MS)
  }

  const make = (base: LogFields): Log => ({
    debug: (message, fields) => line('debug', message, { ...base, ...fields }),
    info: (message, fields) => line('info', message, { ...base, ...fields }),
    warn: (message, fields) => line('warn', message, { ...base, ...fields }),
    error: (message, fields) => line('error', message, { ...base, ...fields }),
    with: fields => make({ ...base, ...fields }),
    flush,
  })
  return make({})
}

/** Whoever logs is often in trouble already: fields that JSON cannot hold cost the fields, not the caller. */
function lineOf(fields: LogFields): string {
  try {
    return encode(fields)
  } catch (error) {
    const { at, level, message } = fields
    return encode({ at, level, message, unloggable: String(error) })
  }
}

/** A replacer makes JSON.stringify several times slower, so flat lines, which are nearly all, go without. */
function encode(fields: LogFields): string {
  const isFlat = Object.values(fields).every(value => value === null || typeof value !== 'object')
  if (!isFlat) return JSON.stringify(fields, redactFields)
  for (const key in fields) fields[key] = redact(key, fields[key])
  return JSON.stringify(fields)
}

function redactFields(key: string, value: unknown): unknown {
  if (value instanceof Error) return describeError(value)
  return redact(key, value)
}

function describeError(error: Error): LogFields {
  const internal = 'internal' in error && error.internal ? { internal: error.internal } : {}
  const code = 'code' in error ? { code: error.code } : {}
  const cause = error.cause instanceof Error ? { cause: describeError(error.cause) } : {}
  return {
    name: error.name,
    message: error.message,
    ...code,
    ...internal,
    stack: error.stack,
    ...cause,
  }
}

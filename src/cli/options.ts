import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { Mode } from '@/deps'
import { isStrategy, STRATEGIES, type Strategy } from '@/domain/routing'
import { UsageError } from './command'

/** Options as a command names them. Throws UsageError with Node's sentence for anything else. */
export function readOptions<const T extends NonNullable<ParseArgsConfig['options']>>(
  args: string[],
  options: T,
  positionals: number,
) {
  const parsed = parse(args, options)
  if (parsed.positionals.length > positionals) {
    throw new UsageError(`too many words: ${parsed.positionals.slice(positionals).join(' ')}`)
  }
  return parsed
}

function parse<const T extends NonNullable<ParseArgsConfig['options']>>(
  args: string[],
  options: T,
) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

export function required(value: string | undefined, name: string): string {
  if (value === undefined || value === '') throw new UsageError(`--${name} is missing`)
  return value
}

export function wholeNumber(value: string | undefined, name: string): number | undefined {
  if (value === undefined) return undefined
  if (!/^\d{1,15}$/.test(value)) throw new UsageError(`--${name} takes a whole number`)
  return Number(value)
}

export function modeOf(value: string | undefined): Mode {
  const mode = value ?? 'live'
  if (mode !== 'live' && mode !== 'test') throw new UsageError('--mode takes live or test')
  return mode
}

/** `default` is null: whoever stands above decides. */
export function strategyOf(value: string | undefined): Strategy | null | undefined {
  if (value === undefined) return undefined
  if (value === 'default') return null
  if (isStrategy(value)) return value
  throw new UsageError(`--strategy takes ${STRATEGIES.join(', ')} or default`)
}

/** Of `--enable` and `--disable`; undefined when neither was said. */
export function onOff(values: { enable?: boolean; disable?: boolean }): boolean | undefined {
  if (values.enable && values.disable) throw new UsageError('--enable or --disable, not both')
  if (values.enable) return true
  return values.disable ? false : undefined
}

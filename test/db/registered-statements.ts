import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Glob } from 'bun'

const SRC = join(import.meta.dir, '../../src')

/** A statement as its source declares it: the text may have gaps where constants are filled in. */
export type Declared = {
  file: string
  line: number
  verb: 'command' | 'returning' | 'query'
  /** Matches the text that was registered. */
  pattern: RegExp
  /** Names of the parameters by its type. */
  parameters: string[]
}

/** The files under src that register statements. */
export function registeringFiles(): string[] {
  return [...new Glob('**/*.{ts,tsx}').scanSync(SRC)]
    .filter(file =>
      /import \{[^}]*\b(command|returning|query)\b[^}]*\} from '[^']*\/statements'/.test(
        read(file),
      ),
    )
    .sort()
}

/** Imports them all, so that `STATEMENTS` is complete. */
export async function registerAll(): Promise<void> {
  for (const file of registeringFiles()) await import(join(SRC, file))
}

export function declaredStatements(): Declared[] {
  return registeringFiles().flatMap(file => declaredIn(file, read(file)))
}

/** How many times src calls one of the three, in whatever way: none may escape `declaredStatements`. */
export function countOfCalls(): number {
  return registeringFiles().reduce(
    (sum, file) =>
      sum + [...read(file).matchAll(/(?<![.\w'])(command|returning|query)\s*[<(]/g)].length,
    0,
  )
}

function read(file: string): string {
  return readFileSync(join(SRC, file), 'utf8')
}

function declaredIn(file: string, source: string): Declared[] {
  const found: Declared[] = []
  for (const call of source.matchAll(/= (command|returning|query)</g)) {
    const typesFrom = call.index + call[0].length
    const typesTo = closing(source, typesFrom - 1)
    const [first = ''] = splitTopLevel(source.slice(typesFrom, typesTo))
    const literal = literalAfter(source, typesTo + 1)
    found.push({
      file,
      line: source.slice(0, call.index).split('\n').length,
      verb: call[1] as Declared['verb'],
      pattern: patternOf(literal),
      parameters: namesOf(first.trim(), source),
    })
  }
  return found
}

const CLOSERS: Record<string, string> = { '<': '>', '{': '}', '(': ')', '[': ']' }

/** Where the bracket at `from` is closed. An arrow is no bracket. */
function closing(text: string, from: number): number {
  const open: string[] = []
  for (let at = from; at < text.length; at++) {
    const character = text.charAt(at)
    if (character in CLOSERS) open.push(CLOSERS[character] ?? '')
    else if (character === open.at(-1) && text.slice(at - 1, at + 1) !== '=>') {
      open.pop()
      if (open.length === 0) return at
    }
  }
  throw new Error('a bracket is never closed')
}

/** Splits at commas, semicolons and line ends that stand in no bracket. */
function splitTopLevel(text: string, separators = ','): string[] {
  const parts: string[] = []
  let from = 0
  for (let at = 0; at < text.length; at++) {
    if (text.charAt(at) in CLOSERS) at = closing(text, at)
    else if (separators.includes(text.charAt(at))) {
      parts.push(text.slice(from, at))
      from = at + 1
    }
  }
  return [...parts, text.slice(from)]
}

/** The keys of an object type, written out or named in the same file. */
function namesOf(type: string, source: string): string[] {
  if (/^Record<string, never>$/.test(type)) return []
  if (type.startsWith('{')) {
    return splitTopLevel(type.slice(1, closing(type, 0)), ',;\n')
      .map(part => /^\s*(\w+)\??:/.exec(part)?.[1])
      .filter(name => name !== undefined)
  }
  const parts = splitTopLevel(type, '&').map(part => part.trim())
  if (parts.length > 1) return parts.flatMap(part => namesOf(part, source))
  const named = new RegExp(`type ${type} = (\\{)`).exec(source)
  if (!named) throw new Error(`the parameters ${type} are declared elsewhere`)
  const from = named.index + named[0].length - 1
  return namesOf(source.slice(from, closing(source, from) + 1), source)
}

/** The first string after the opening parenthesis, comments before it skipped. */
function literalAfter(source: string, from: number): string {
  const start = /^\(\s*(?:\/\/.*\n\s*)*(['"`])/.exec(source.slice(from))
  if (!start?.[1])
    throw new Error(
      `a statement is not written where it is registered: ${source.slice(from, from + 60)}`,
    )
  const begin = from + start[0].length
  return source.slice(begin, source.indexOf(start[1], begin))
}

function patternOf(literal: string): RegExp {
  const fixed = literal
    .split(/\$\{[^}]*\}/)
    .map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${fixed.join('[^]*')}$`)
}

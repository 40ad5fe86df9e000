import { UsageError } from './command'

/** A key is a hundred characters; whoever sends a file of another kind hears so before it is looked at. */
const MAX_CHARACTERS = 10_000
const INTERRUPT = '\u0003'
const END = '\u0004'
const ERASE = ['\u0008', '\u007f']

/**
 * A secret from standard input, so that it stands in no history and no list of processes: from a pipe or a
 * file, or typed in without being shown. Space and line breaks around it are not part of it. Throws UsageError
 * when there is none.
 */
export async function readSecret(what: string, say: (text: string) => void): Promise<string> {
  if (process.stdin.isTTY) say(`Paste ${what} and press Enter; it is not shown.`)
  const text = process.stdin.isTTY ? await typed() : await Bun.stdin.text()
  const secret = text.trim()
  if (secret === '') throw new UsageError(`${what} is read from standard input, and nothing came`)
  if (secret.length > MAX_CHARACTERS)
    throw new UsageError(`what came is not ${what}: it is too long`)
  return secret
}

async function typed(): Promise<string> {
  const { stdin } = process
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  let text = ''
  try {
    for await (const piece of stdin) {
      for (const character of String(piece)) {
        if (character === INTERRUPT) throw new Error('stopped; nothing was changed')
        if (character === '\r' || character === '\n' || character === END) return text
        text = ERASE.includes(character) ? text.slice(0, -1) : text + character
      }
    }
    return text
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
  }
}

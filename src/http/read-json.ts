import { AppError, invalidInput } from '@/base/errors'

/** CONTRACT section 2: a prompt has 32 KB, and a whole body 1 MB. */
export const MAX_BODY_BYTES = 1024 * 1024
const JSON_TYPE = /^application\/json\s*(;.*)?$/i
/** No request of ours nests deeper; a recursive check of a deeper one could exhaust the stack. */
const MAX_DEPTH = 32

/**
 * The JSON of a request: null when it has no body. Throws 415 for another media type, 413 above 1 MB, 400
 * for what is not JSON in UTF-8, nests too deep, or holds text that no database and no vendor takes.
 */
export async function readJson(request: Request): Promise<unknown> {
  const length = request.headers.get('content-length')
  if (request.body === null || length === '0') return null
  if (length !== null && Number(length) > MAX_BODY_BYTES) throw tooLarge()
  if (!JSON_TYPE.test(request.headers.get('content-type') ?? '')) {
    throw new AppError('unsupported_media', { detail: { allowed: ['application/json'] } })
  }
  const text = decode(length === null ? await readCapped(request.body) : await request.bytes())
  if (text.trim() === '') return null
  if (nestsTooDeep(text)) throw invalidInput('', `nests deeper than ${MAX_DEPTH} levels`)
  const value = parse(text)
  // Only an escape can bring in what these checks refuse.
  if (text.includes('\\u') || text.includes('__proto__')) checkTexts(value, [])
  return value
}

/** A body of unknown length is counted while it comes. */
async function readCapped(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Other decoders put a replacement character where they fail, and a prompt would say something else. */
function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw invalidInput('', 'is not valid UTF-8')
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalidInput('', 'is not valid JSON')
  }
}

function nestsTooDeep(text: string): boolean {
  // Each level costs a bracket, so short texts cannot.
  if (text.length < MAX_DEPTH * 2) return false
  let depth = 0
  let isInString = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (isInString) {
      if (code === BACKSLASH) i++
      else if (code === QUOTE) isInString = false
    } else if (code === QUOTE) {
      isInString = true
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (++depth > MAX_DEPTH) return true
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      depth--
    }
  }
  return false
}

const QUOTE = 34
const BACKSLASH = 92
const OPEN_BRACKET = 91
const CLOSE_BRACKET = 93
const OPEN_BRACE = 123
const CLOSE_BRACE = 125

function checkTexts(value: unknown, path: string[]): void {
  if (typeof value === 'string') {
    if (value.includes('\0')) throw invalidInput(path.join('.'), 'must not hold a NUL character')
    if (!value.isWellFormed()) throw invalidInput(path.join('.'), 'must be valid Unicode')
    return
  }
  if (value === null || typeof value !== 'object') return
  for (const [key, part] of Object.entries(value)) {
    const isPlain = key !== '__proto__' && key.isWellFormed() && !key.includes('\0')
    if (!isPlain) throw invalidInput(path.join('.'), 'has a field name that is not allowed')
    checkTexts(part, [...path, /^[\w-]{1,64}$/.test(key) ? key : '(unnamed)'])
  }
}

function tooLarge(): AppError {
  return new AppError('too_large', { detail: { max_bytes: MAX_BODY_BYTES } })
}

const SHAPE = /^[A-Za-z0-9\-_.:@|+=~]{1,128}$/
/** These would be read as something else in a path. */
const TAKEN = new Set(['.', '..', 'me', 'tokens'])

/** The app's own name of a user: 1 to 128 of `A-Z a-z 0-9 - _ . : @ | + = ~`. */
export function isExternalId(text: string): boolean {
  return SHAPE.test(text) && !TAKEN.has(text)
}

import type { z } from 'zod'
import type { InputProblem } from './errors'

const NOT_A_FIELD = 'is not a field of this request'

/** What zod found, with dotted paths. Never holds a value that the caller sent. */
export function inputProblems(
  error: z.ZodError,
  prefix = '',
  unknownField = NOT_A_FIELD,
): InputProblem[] {
  return error.issues.flatMap(issue => {
    const path = [prefix, ...issue.path.map(part => fieldName(String(part)))]
      .filter(part => part !== '')
      .join('.')
    if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }]
    return issue.keys.map(key => ({
      path: path === '' ? fieldName(key) : `${path}.${fieldName(key)}`,
      message: unknownField,
    }))
  })
}

/** A caller's own field name is shown only when it is a plain word: it is text from outside like any other. */
function fieldName(key: string): string {
  return /^[A-Za-z0-9_:-]{1,64}$/.test(key) ? key : '(unnamed)'
}

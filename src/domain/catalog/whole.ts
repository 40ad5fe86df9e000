import { invalidInput } from '@/base/errors'

/** Throws 400 naming the field and its bounds. */
export function whole(path: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return
  throw invalidInput(path, `must be a whole number from ${min} to ${max}`)
}

import { sha256Hex } from '@/base/secrets'

/**
 * Equal for equal values: Swift's encoder does not order keys, so a repeated request has other bytes.
 * Takes the validated body, with defaults applied and without its own key.
 */
export function fingerprint(body: unknown): string {
  return sha256Hex(canonical(body))
}

function canonical(value: unknown): string {
  if (value === undefined) return 'null'
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const parts = Object.entries(value)
    .filter(([, part]) => part !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, part]) => `${JSON.stringify(key)}:${canonical(part)}`)
  return `{${parts.join(',')}}`
}

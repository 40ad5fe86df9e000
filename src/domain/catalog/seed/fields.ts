/** Fields of input that many models have, as JSON Schema. */
export const SEED = { type: 'integer', minimum: 0, maximum: 2_147_483_647 }
export const NEGATIVE = { type: 'string', maxLength: 4_000 }
export const QUALITY = { type: 'string', enum: ['low', 'medium', 'high'] }
export const RESOLUTION = { type: 'string', enum: ['1K', '2K', '4K'] }
export const MAX_OUTPUT_TOKENS = { type: 'integer', minimum: 1, maximum: 8_192 }

/** How much larger, by side. */
export function scale(...factors: readonly [number, ...number[]]) {
  return { type: 'integer', enum: factors, default: factors[0] }
}

/**
 * Lengths in seconds. Vendors charge by the second and a model has one price, so a model offers the lengths
 * that its price covers; mostly that is one.
 */
export function lasting(...seconds: readonly [number, ...number[]]) {
  return { type: 'integer', enum: seconds, default: seconds[0] }
}

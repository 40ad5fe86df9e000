import type { Json, ProviderInput } from './spec'

/**
 * A vendor's input from ours, as the route's data says: constants, then the caller's own parameters, then
 * what we set, which nothing of the caller's can overwrite. A field whose name ends in `[]` takes a list;
 * one that the route maps to null is left out.
 */
export function mapInput(
  input: ProviderInput,
  fields: { [ours: string]: string | null } = {},
): { [key: string]: Json } {
  const { config } = input
  const names = { ...fields, ...config.fields }
  const body: { [key: string]: Json } = { ...config.constants, ...input.params }
  for (const [ours, value] of ourFields(input)) {
    const theirs = ours in names ? names[ours] : ours
    if (theirs === null || theirs === undefined) continue
    if (theirs.endsWith('[]')) body[theirs.slice(0, -2)] = Array.isArray(value) ? value : [value]
    else body[theirs] = Array.isArray(value) ? (value[0] ?? null) : value
  }
  return body
}

/** Only what was asked for: a field that is not set is not sent. */
function ourFields(input: ProviderInput): [string, Json][] {
  const { config } = input
  const ratio = input.aspectRatio
  const format = input.outputFormat
  const fields: [string, Json | null][] = [
    ...Object.entries(input.extra),
    ['prompt', input.prompt],
    ['images', input.images.length > 0 ? input.images : null],
    ['aspect_ratio', ratio === null ? null : (config.aspect_ratios?.[ratio] ?? ratio)],
    ['num_outputs', input.numOutputs],
    ['output_format', format === null ? null : (config.output_formats?.[format] ?? format)],
  ]
  return fields.filter((field): field is [string, Json] => field[1] !== null)
}

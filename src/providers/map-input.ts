import type { Json, ProviderInput } from './spec'

/** Our field -> the vendor's, in the words of `RouteConfig.fields`. */
export type FieldNames = { [ours: string]: string | null }

/**
 * A vendor's input from ours, as the route's data says: the caller's own parameters, then what the route
 * sends with every call, then what was asked for, so that nothing of the caller's overwrites either.
 * `usual` are the vendor's own names, over which those of the route are laid; `fixed` are laid over these,
 * for what the adapter writes itself.
 */
export function mapInput(
  input: ProviderInput,
  usual: FieldNames = {},
  fixed: FieldNames = {},
): { [key: string]: Json } {
  const names = namesOf(input, usual, fixed)
  // A map, because with a name such as `__proto__` an object does not hold what was put into it.
  const body = new Map<string, Json>([
    ...Object.entries(input.params),
    ...Object.entries(input.config.constants ?? {}),
  ])
  for (const [ours, value] of ourFields(input)) {
    const { [ours]: theirs = ours } = names
    if (theirs === null) continue
    for (const [name, written] of writtenAs(theirs, value)) body.set(name, written)
  }
  return Object.fromEntries(body)
}

/** What our fields are called at the vendor, for this input. It has no prototype: no name is there by chance. */
export function namesOf(
  { config, images }: ProviderInput,
  usual: FieldNames = {},
  fixed: FieldNames = {},
): FieldNames {
  const withImages = images.length > 0 ? config.with_images_fields : {}
  return Object.assign(Object.create(null), usual, config.fields, withImages, fixed)
}

/** The vendor's names that are not the caller's to use, whether or not they are sent this time. */
export function reservedNames(input: ProviderInput, usual: FieldNames = {}): Set<string> {
  const { constants = {}, aspect_ratios = {} } = input.config
  const names = Object.values(namesOf(input, usual)).filter(name => name !== null)
  const spread = names.includes(SPREAD) ? Object.values(aspect_ratios).filter(isObject) : []
  return new Set([
    ...Object.keys(constants),
    ...names.map(name => name.replace(FORM, '')),
    ...spread.flatMap(value => Object.keys(value)),
  ])
}

/** Where pictures are given a route may name another model. */
export function modelOf({ config, images, providerModel }: ProviderInput): string {
  return (images.length > 0 ? config.with_images_model : undefined) ?? providerModel
}

/** In the place of a name: the members of an object go into the body each by its own name. */
const SPREAD = '...'
/** Behind a name: how its value is written. See `RouteConfig.fields`. */
const FORM = /\[\]$|:text$|:seconds$/

function writtenAs(theirs: string, value: Json): [string, Json][] {
  // A ratio that the route has no object for has no members.
  if (theirs === SPREAD) return isObject(value) ? Object.entries(value) : []
  const [form] = FORM.exec(theirs) ?? []
  const name = theirs.replace(FORM, '')
  if (form === '[]') return [[name, Array.isArray(value) ? value : [value]]]
  const one = Array.isArray(value) ? (value[0] ?? null) : value
  if (form === undefined || typeof one !== 'number') return [[name, one]]
  return [[name, form === ':text' ? `${one}` : `${one}s`]]
}

function isObject(value: Json): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Only what was asked for: a field that is not set is not sent. */
function ourFields(input: ProviderInput): [string, Json][] {
  const { aspectRatio, outputFormat, config } = input
  const fields: [string, Json][] = [
    ...Object.entries(input.extra),
    ['prompt', input.prompt],
    ['images', input.images.length > 0 ? input.images : null],
    ['aspect_ratio', theirWord(config.aspect_ratios, aspectRatio)],
    ['num_outputs', input.numOutputs],
    ['output_format', theirWord(config.output_formats, outputFormat)],
  ]
  return fields.filter(([, value]) => value !== null)
}

/** Ours where the route has none for it. */
function theirWord(words: { [ours: string]: Json } = {}, ours: string | null): Json {
  return ours !== null && Object.hasOwn(words, ours) ? (words[ours] ?? null) : ours
}

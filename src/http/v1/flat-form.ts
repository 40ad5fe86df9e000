import { z } from 'zod'
import { AppError, type InputProblem } from '@/base/errors'

/** The form that many apps send already, in camel case and without an `input`. */
const NO_DATA_YET =
  'is not taken yet: put the picture at an https address and send that in `references`'

export const FLAT_FIELDS = {
  prompt: z.string().optional().meta({ description: 'What the picture shows.' }),
  references: z.array(z.string()).optional().meta({
    description: 'https addresses of pictures to work from: `input.images` of `generate`.',
  }),
  imageBase64: z
    .string({ error: NO_DATA_YET })
    .refine(() => false, { error: NO_DATA_YET })
    .optional()
    .meta({ description: 'Not taken yet; send an https address in `references`.' }),
  aspectRatio: z.string().optional().meta({ description: 'One of the model’s own: `16:9`.' }),
  numOutputs: z.int().optional().meta({ description: '1 to 4.' }),
  outputFormat: z.string().optional().meta({ description: '`png`, `jpeg` or `webp`.' }),
  seed: z.int().optional().meta({ description: 'Where the model takes one.' }),
  providerOptions: z.record(z.string(), z.unknown()).optional().meta({
    description:
      'Fields of a provider’s own under its name: `{"replicate": {"go_fast": true}}`. They are used when that provider serves the job.',
  }),
}

/** What each is called in `input`. A picture as data has no place there. */
const NAMES: Record<Exclude<keyof typeof FLAT_FIELDS, 'imageBase64'>, string> = {
  prompt: 'prompt',
  references: 'images',
  aspectRatio: 'aspect_ratio',
  numOutputs: 'num_outputs',
  outputFormat: 'output_format',
  seed: 'seed',
  providerOptions: 'provider_params',
}

/** The `input` that a flat body means, to be checked by its model like any other. */
export function inputOf(flat: Record<string, unknown>): Record<string, unknown> {
  const given = Object.entries(NAMES).filter(([name]) => flat[name] !== undefined)
  return Object.fromEntries(given.map(([name, inner]) => [inner, flat[name]]))
}

/** A refusal of `input`, in the words of the form that the caller used. Anything else stays as it is. */
export function inFlatWords(thrown: unknown): unknown {
  if (!(thrown instanceof AppError) || thrown.code !== 'invalid_input') return thrown
  const problems = thrown.detail.details as InputProblem[]
  return new AppError('invalid_input', { detail: { details: problems.map(flatProblem) } })
}

function flatProblem({ path, message }: InputProblem): InputProblem {
  const [root, inner = '', ...rest] = path.split('.')
  const name = flatName(inner)
  if (root !== 'input' || !name) return { path, message }
  return { path: [name, ...rest].join('.'), message: sentenceOf(name, rest, message) }
}

const UNKNOWN = 'is not a field of this model'

function sentenceOf(name: string, rest: string[], message: string): string {
  if (message.startsWith(UNKNOWN)) {
    if (name === 'references') return 'must be left out: this model takes no pictures'
    if (name === 'providerOptions' && rest.length === 1) return NO_PROVIDER
    return UNKNOWN
  }
  // A sentence may point to another field: a vendor's own for pictures to `input.images`.
  return message.replace(/\binput\.(\w+)/g, (said, inner: string) => flatName(inner) ?? said)
}

const NO_PROVIDER =
  'is no provider; a provider’s fields go below its name: {"providerOptions": {"replicate": {...}}}'

function flatName(inner: string): string | null {
  return Object.entries(NAMES).find(([, known]) => known === inner)?.[0] ?? null
}

import { z } from 'zod'
import { AppError, type InputProblem, invalidInput } from '@/base/errors'
import { inputProblems } from '@/base/input-problems'
import { checkDestination } from '@/base/safe-fetch'
import type { Deps, Mode } from '@/deps'
import type { Json } from '@/providers/spec'
import type { Model } from './find'

/** A request for a model, checked and with defaults applied. This is what is stored and what executors read. */
export type CheckedInput = {
  prompt: string | null
  images: string[]
  aspectRatio: string | null
  numOutputs: number
  outputFormat: 'png' | 'jpeg' | 'webp' | null
  /** Fields of the model's own input schema. */
  extra: Record<string, Json>
  /** Per provider name. */
  providerParams: Record<string, Record<string, Json>>
}

/** The length that was asked for, in seconds; null where none was. */
export function secondsAsked({ extra }: Pick<CheckedInput, 'extra'>): number | null {
  const seconds = Number(extra.duration_seconds ?? Number.NaN)
  return Number.isFinite(seconds) ? seconds : null
}

export const MAX_PROMPT_BYTES = 32 * 1024
const MAX_OUTPUTS = 4
const NEEDS_IMAGES = new Set(['image_edit', 'upscale'])
const MAKES_PICTURES = new Set(['image', 'image_edit', 'upscale'])
const UNKNOWN_FIELD =
  'is not a field of this model; a provider’s own fields go under input.provider_params.<provider>'
const COMMON = [
  'prompt',
  'images',
  'aspect_ratio',
  'num_outputs',
  'output_format',
  'provider_params',
]

/** Throws 400 naming every wrong field below `input`. */
export function checkInput(deps: Deps, model: Model, mode: Mode, input: unknown): CheckedInput {
  const schema = schemaOf(deps, model)
  const parsed = schema.safeParse(input)
  if (!parsed.success) {
    throw new AppError('invalid_input', {
      detail: { details: firstOfEach(inputProblems(parsed.error, 'input', UNKNOWN_FIELD)) },
    })
  }
  const value = parsed.data as CommonInput & Record<string, Json>
  const providerParams = value.provider_params ?? {}
  if (mode === 'live' && 'sandbox' in providerParams) {
    throw invalidInput('input.provider_params.sandbox', 'works with test keys only')
  }
  const extra = Object.fromEntries(Object.entries(value).filter(([name]) => !COMMON.includes(name)))
  return {
    prompt: value.prompt ?? null,
    images: value.images ?? [],
    aspectRatio: value.aspect_ratio ?? null,
    numOutputs: value.num_outputs,
    outputFormat: value.output_format ?? null,
    extra,
    providerParams,
  }
}

/** Once a field is wrong, what else may be said of it misleads: a text is also a list that is too long. */
function firstOfEach(problems: InputProblem[]): InputProblem[] {
  const byPath = new Map<string, InputProblem>()
  for (const problem of problems) {
    if (!byPath.has(problem.path)) byPath.set(problem.path, problem)
  }
  return [...byPath.values()]
}

type CommonInput = {
  prompt?: string
  images?: string[]
  aspect_ratio?: string
  num_outputs: number
  output_format?: 'png' | 'jpeg' | 'webp'
  provider_params?: Record<string, Record<string, Json>>
}

/** The JSON Schema of `input` for one model, for callers. */
export function describeInput(deps: Deps, model: Model): Record<string, unknown> {
  return deps.cache.keep(`input-schema:${model.id}:${model.updatedAt}`, () => {
    const schema = z.toJSONSchema(schemaOf(deps, model), { io: 'input', unrepresentable: 'any' })
    const { $schema: _, '~standard': __, ...rest } = schema as Record<string, unknown>
    return rest
  })
}

/** Made once for a version of a model: a shell's commit empties the cache, and 67 of these take a while. */
function schemaOf(deps: Deps, model: Model): z.ZodType {
  return deps.cache.keep(`input:${model.id}:${model.updatedAt}`, () => inputSchema(deps, model))
}

function inputSchema(deps: Deps, model: Model): z.ZodType {
  const own = z.fromJSONSchema(model.inputSchema as never)
  const fields: Record<string, z.ZodType> = own instanceof z.ZodObject ? { ...own.shape } : {}
  if (model.supportsPrompt) fields.prompt = prompt
  if (model.maxInputImages > 0) fields.images = images(deps, model)
  const [firstRatio, ...ratios] = model.aspectRatios
  if (firstRatio) fields.aspect_ratio = z.enum([firstRatio, ...ratios]).default(firstRatio)
  if (MAKES_PICTURES.has(model.kind)) {
    fields.output_format = z.enum(['png', 'jpeg', 'webp']).default('png')
  }
  fields.num_outputs = z.int().min(1).max(MAX_OUTPUTS).default(1)
  fields.provider_params = providerParams(deps).optional()
  return z.strictObject(fields)
}

const prompt = z
  .string()
  .min(1)
  .max(MAX_PROMPT_BYTES)
  .refine(text => Buffer.byteLength(text) <= MAX_PROMPT_BYTES, {
    error: `must be at most ${MAX_PROMPT_BYTES} bytes`,
  })

function images(deps: Deps, model: Model) {
  const address = z.string().superRefine((text, context) => {
    const problem = checkDestination(text, deps.config.allowPrivateDestinations)
    if (problem) context.addIssue({ code: 'custom', message: imageProblem(text, problem) })
  })
  const list = z.array(address).max(model.maxInputImages)
  return NEEDS_IMAGES.has(model.kind) ? list.min(1) : list.optional()
}

function imageProblem(text: string, problem: string): string {
  if (/^(fil_|data:)/.test(text))
    return 'must be an https address; file ids and data URLs are not taken yet'
  return problem
}

/** One object of the vendor's own fields per vendor that is here. */
function providerParams(deps: Deps) {
  const own = z.record(z.string(), z.json())
  return z.strictObject(
    Object.fromEntries(
      deps.providers.names().map(name => {
        const schema = deps.providers.get(name)?.params
        return [name, (schema ?? own).optional()]
      }),
    ),
  )
}

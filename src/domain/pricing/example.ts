import { AppError } from '@/base/errors'
import type { Deps, Mode } from '@/deps'
import { type CheckedInput, checkInput, type Model } from '@/domain/catalog'
import { askedOfModel } from './asked'
import { featureAsked } from './feature'
import { fieldsOf } from './fields'
import { type Quote, quoteBy } from './quote'
import type { RuleInForce } from './rules'
import type { PriceSubject } from './subject'

type Request = { mode: Mode; input?: unknown }

/**
 * A quote by this rule: for `input`, which is checked as by `generate`, else for the least that one can ask.
 * Null for a feature that cannot be asked for without an input.
 */
export function exampleOf(
  deps: Deps,
  { model }: PriceSubject,
  rule: Pick<RuleInForce, 'compiled' | 'version' | 'of'>,
  { mode, input }: Request,
): Quote | null {
  if (model) {
    const checked =
      input === undefined ? leastInput(deps, model) : checkInput(deps, model, mode, input)
    return quoteBy(rule, askedOfModel(model, checked))
  }
  try {
    return quoteBy(rule, featureAsked(rule.compiled, input ?? {}))
  } catch (error) {
    if (input === undefined && error instanceof AppError) return null
    throw error
  }
}

const NEEDS_IMAGES = new Set(['image_edit', 'upscale'])

/** What is stored when only what must be said is said. */
function leastInput(deps: Deps, model: Model): CheckedInput {
  const format = fieldsOf(deps, model).get('output_format')?.standard
  const own = (model.inputSchema.properties ?? {}) as Record<string, { default?: unknown }>
  const extra = Object.entries(own).flatMap(([name, { default: standard }]) =>
    standard === undefined ? [] : [[name, standard]],
  )
  return {
    prompt: model.supportsPrompt ? 'An example' : null,
    images: NEEDS_IMAGES.has(model.kind) ? ['https://example.com/1.jpg'] : [],
    aspectRatio: model.aspectRatios[0] ?? null,
    numOutputs: 1,
    outputFormat: (format ?? null) as CheckedInput['outputFormat'],
    extra: Object.fromEntries(extra),
    providerParams: {},
  }
}

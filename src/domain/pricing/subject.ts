import { AppError } from '@/base/errors'
import type { Deps } from '@/deps'
import { findModel, type Model } from '@/domain/catalog'
import type { Subject } from './check-rule'
import { fieldsOf, longestPrompt } from './fields'

/** What has a price: `model:<name>` or `feature:<name>`. */
export type PriceSubject = { name: string; model: Model | null }

const FEATURE = /^feature:[a-z0-9][a-z0-9_.-]{0,63}$/
const MODEL = 'model:'

/** Throws 404: `model_not_found` for a model that is not on sale, `not_found` for what is no subject at all. */
export function subjectOf(deps: Pick<Deps, 'db' | 'cache'>, text: string): PriceSubject {
  if (FEATURE.test(text)) return { name: text, model: null }
  if (!text.startsWith(MODEL)) throw new AppError('not_found')
  const model = findModel(deps, text.slice(MODEL.length))
  if (!model) throw new AppError('model_not_found')
  // An id finds it too, and a rule is kept by the name.
  return { name: `${MODEL}${model.name}`, model }
}

/** The same name for a model that has gone: its rule is still there to be looked at and removed. */
export function nameOfSubject(deps: Pick<Deps, 'db' | 'cache'>, text: string): string {
  const model = text.startsWith(MODEL) ? findModel(deps, text.slice(MODEL.length)) : null
  return model ? `${MODEL}${model.name}` : text
}

export function checkedAs(deps: Deps, { model }: PriceSubject): Subject {
  if (!model) return null
  return { model, fields: fieldsOf(deps, model), maxPromptBytes: longestPrompt(deps, model) }
}

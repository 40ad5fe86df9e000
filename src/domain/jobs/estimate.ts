import { AppError } from '@/base/errors'
import type { Deps, Realm } from '@/deps'
import { checkInput, findModel } from '@/domain/catalog'
import { type Quote, quote } from '@/domain/pricing'
import { findByExternalId, welcomeOf } from '@/domain/users'

export type ToEstimate = {
  realm: Realm
  model: string
  input: unknown
  /** Null: nobody in particular. */
  user: { externalId: string; mayHaveWelcomeGrant: boolean } | null
}

export type Estimate = {
  /** The model's own name, whichever way it was asked for. */
  model: string
  numOutputs: number
  quote: Quote
  /** What the user can spend now; null without a user. */
  balance: number | null
}

/**
 * What `submit` would hold for the same request, from the same steps, and nothing is written. A user whom
 * nobody has seen has the welcome grant that a first job would bring; what a plan brings with the first call
 * of a period is not counted. Throws 404 `model_not_found` and 400 for the input, as `submit` does.
 */
export function estimate(deps: Deps, request: ToEstimate): Estimate {
  const { realm } = request
  const model = findModel(deps, request.model)
  if (!model) throw new AppError('model_not_found')
  const input = checkInput(deps, model, realm.mode, request.input)
  return {
    model: model.name,
    numOutputs: input.numOutputs,
    quote: quote(deps, { realm, model, input }),
    balance: request.user && balanceFor(deps, realm, request.user),
  }
}

function balanceFor(deps: Deps, realm: Realm, user: NonNullable<ToEstimate['user']>): number {
  const known = findByExternalId(deps.db, realm.id, user.externalId)
  return known ? known.balance : welcomeOf(deps.db, deps.secrets, { realm, ...user })
}

import { ProviderError } from '../errors'

/** Where predictions of a model are created, and what the body has to say of the model. */
export type Target = { path: string; version?: string }

/**
 * `owner/name` is an official model, `owner/name:version` any public or own model, and
 * `deployments/owner/name` a deployment. The version goes without its name, as the vendor's own client
 * sends it. Throws `unavailable` for any other name, and for good: the route is wrong, not the caller.
 */
export function targetOf(providerModel: string): Target {
  const [, deployment] = DEPLOYMENT.exec(providerModel) ?? []
  if (deployment) return { path: `/deployments/${deployment}/predictions` }
  const [, model, version] = MODEL.exec(providerModel) ?? []
  if (version) return { path: '/predictions', version }
  if (model) return { path: `/models/${model}/predictions` }
  const message = `Replicate has no model of the form ${providerModel}`
  throw new ProviderError('unavailable', message, { isPermanent: true })
}

const NAME = '[A-Za-z0-9][A-Za-z0-9._-]*'
const DEPLOYMENT = new RegExp(`^deployments/(${NAME}/${NAME})$`)
const MODEL = new RegExp(`^(${NAME}/${NAME})(?::([A-Za-z0-9]+))?$`)

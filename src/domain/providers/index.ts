export { allProviders, findProvider, type ProviderRow } from './find'
export { isUsable, keyOf, keySourceOf, webhookSecretOf } from './key'

export { type Check, type CheckOutcome, checkProvider } from './check'
export { type Checked, checkEach } from './check-each'
export { allProviders, findProvider, type ProviderRow } from './find'
export { healthOf } from './health'
export {
  hasTwoKeys,
  isProviderKey,
  isUsable,
  type KeySource,
  keyOf,
  keySourceOf,
  webhookSecretOf,
} from './key'
export { recordCheck } from './record-check'
export { setEnabled } from './set-enabled'
export { removeKey, setKey } from './set-key'
export { removeWebhookSecret, setWebhookSecret } from './set-webhook-secret'
export { watch } from './watch'

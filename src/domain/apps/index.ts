export { type AppChange, changeApp } from './change-app'
export { type CreatedApp, createApp, DEFAULT_LIMITS, type NewApp } from './create-app'
export { type CreatedKey, createKey } from './create-key'
export { setDefaultPlanId } from './default-plan'
export {
  type App,
  findApp,
  findRealm,
  listApps,
  listLiveRealms,
  listRealmKeys,
  realmsOf,
} from './find'
export { findKey, type KeyOfApp } from './find-key'
export { isWellFormedKey, type KeyKind } from './key-text'
export { flushLastUsed, noteUse } from './last-used'
export { revokeKey } from './revoke-key'
export { setStrategy } from './set-strategy'
export { webhookSecretOf } from './webhook-secret'

export { loadSecretKey, proveSecretKey, SecretKeyError } from './secret-key'
export { type Setting, saveSetting, settingOf } from './setting'

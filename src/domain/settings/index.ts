export { loadSecretKey, proveSecretKey, SecretKeyError } from './secret-key'
export { readSetting, type Setting, saveSetting, settingOf } from './setting'

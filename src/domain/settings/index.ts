export { loadSecretKey, proveSecretKey, SecretKeyError } from './secret-key'

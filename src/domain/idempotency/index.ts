export { fingerprint } from './fingerprint'
export { forgetOld, type OnceResult, once, type Scope } from './once'

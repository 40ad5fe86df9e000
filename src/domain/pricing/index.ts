export { type Quote, quote } from './quote'

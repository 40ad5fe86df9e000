export { type JobEnd, record } from './record'

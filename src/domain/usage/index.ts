export { type JobEnd, record, recordCost } from './record'

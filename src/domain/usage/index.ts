export { reportByUser, type UsageOfUser } from './by-user'
export { countDays, type DayRange, daysBefore, readDay, writeDay } from './days'
export { type JobEnd, record, recordCost } from './record'
export {
  type Grouping,
  report,
  type UsageGroup,
  type UsageReport,
  type UsageScope,
} from './report'
export type { Sums } from './sums'

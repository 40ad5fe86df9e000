export {
  type Choice,
  canServe,
  choose,
  type JobToServe,
  strategyFor,
  whyNotServed,
} from './choose'
export type { Tried } from './decide'
export { Decision } from './decision'
export { listedCost } from './listed-cost'
export type { RouteMetrics, RouteOutcome } from './metrics'
export { readMetrics, recordAcceptance, recordChoice, recordOutcome } from './record'
export { parseRouteConfig, routeConfig } from './route-config'
export { SANDBOX } from './sandbox'
export { callNext, leaveLines, standInLine } from './slots'
export { isStrategy, STRATEGIES, type Strategy } from './strategy'
export { WEIGHTS } from './weights'
export { UNKNOWN_COST, worstCostOf } from './worst-cost'

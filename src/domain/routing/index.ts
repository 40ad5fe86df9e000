export { type Choice, canServe, choose, SANDBOX, type Tried } from './choose'
export { routeConfig } from './route-config'

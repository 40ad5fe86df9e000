export { type CatalogModel, findEveryModel, listEveryModel } from './every-model'
export {
  type CatalogRoute,
  everyRouteOf,
  findRoute,
  type RouteState,
  routeCounts,
  stateOf,
} from './every-route'
export { findImageFamily, IMAGE_FAMILIES, modelOfFamily } from './family'
export { findModel, listModels, type Model } from './find'
export { type CheckedInput, checkInput, describeInput, secondsAsked } from './input'
export { seed } from './seed'
export { type ModelChange, setModel } from './set-model'
export { type RouteChange, setRoute } from './set-route'
